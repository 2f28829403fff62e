"""The options of each verb for videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from twofold.catalog import options
from twofold.catalog.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Reading(Options):
    """Options of reading videos"""

    part: str | None = option(None)
    """Of data in parts: train, valid, test, all, or none where folders of such names are classes; by what it is read
    for where not given."""
    class_level: int | None = option(None, least=0)
    """The folder in a video's path that is its class, 1 for the outermost, 0 for no labels; recognised where not
    given."""
    fold: int | None = option(None, least=0)
    """Of data in folds, the one to test on; what learns learns from the others."""
    videos: str | None = option(None, path=True)
    """The folder of the videos that a list names, where it is not beside the list."""
    classes: str | None = option(None, path=True)
    """A file of class names (classInd.txt, or one a line), where it is not beside a list."""
    fps: float | None = option(None, above=0, most=1000)
    """Frames a second, to which each video is thinned or stretched by its time stamps before strides; as they are where
    not given."""
    workers: int | None = option(None, least=0, harmless=True, takes=1 << 20)
    """Threads that decode; by the usable cores where not given."""


@dataclass(frozen=True, kw_only=True)
class Prepare(Reading):
    """Options of preparing videos"""

    short_side: int = option(128, least=0)
    """Pixels that the short side of larger pictures is shrunk to (128 for views of 112); 0 keeps their size."""
    quality: int = option(90, least=1, most=95)
    """Of the JPEGs."""
    motion: bool = option(False)
    """Keep the motion of every frame, for cmd."""
    transcode: Literal["auto", "never", "always"] = option("auto")
    """Take the motion from a copy in H.264 without B-frames: never, of videos that tell none of the pictures that are
    kept (auto), or of all."""
    deinterlace: Literal["auto", "never", "always"] = option("auto")
    """Make whole pictures of interlaced frames: never, of those that say that they are (auto), or of all frames."""
    max_unreadable: float = option(0.05, least=0, most=1)
    """Share of unreadable videos past which it ends."""


@dataclass(frozen=True, kw_only=True)
class Clips(Options):
    """Options of cutting clips"""

    frames: int | None = option(None, least=1)
    """Frames of a clip; the recipe's where not given, that of pretraining where a model is measured."""
    stride: int | None = option(None, least=1)
    """Frames from one of a clip to the next; the recipe's where not given, that of pretraining where a model is
    measured."""
    image_size: int | None = option(None, least=8)
    """Side of the views in pixels; by the recipe and the data where not given, that of pretraining where a model is
    measured."""


@dataclass(frozen=True, kw_only=True)
class Trust(Options):
    """Options of opening what somebody wrote"""

    trust: bool = option(False)
    """Import the network's own module that the file names."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(options.Pretrain, options.Network, Clips, Reading):
    """Options of training on videos"""

    backbone: str = option("auto")
    """r3d18, r2plus1d18, c3d, s3d and others of docs/videos/backbones.md, frames:resnet18 for a network of single
    frames, torchvision:NAME, or module:callable of your own."""
    stem: Literal["auto", "3x7x7", "7x7x7", "3x3x3"] = option("auto")
    """The first layers of R3D and ResNet3D: 7x7x7 is followed by a max-pool."""
    last_stage: Literal["auto", "strided", "dense"] = option("auto")
    """Whether the last stage of our residual networks halves height and width (strided) or keeps them (dense, as ctp
    needs); the recipe's where auto."""
    weights: str = option("random", path=True)
    """random, torchvision, a checkpoint file, or a run folder, whose backbone is trained on, with its heads, twin and
    queue where they fit."""
    views: str = option("auto")
    """Sampling and augmentation of clips, by name, or package.module:views of your own, a ClipAugmentation; auto takes
    the recipe's."""
    view_options: dict[str, Any] | None = option(None)
    """A change of the views: a probability, as --views.jitter 0, or a field, as --views.crop.area 0.2,1; `twofold
    methods METHOD` lists them."""
    statistics: str = option("imagenet")
    """Normalisation of the pixels: imagenet, cifar10 or none."""
    colour: Literal["exact", "linear"] = option("exact")
    """Colour jitter exactly like torchvision's, or linear (faster, a little different)."""
    memory_gb: float | None = option(None, least=0, harmless=True)
    """Memory for decoded videos, where all fit; half of what is free where not given, 0 to decode every time."""
    max_unreadable: float = option(0.05, least=0, most=1)
    """Share of unreadable videos past which the run ends."""
    knn_every: int | None = option(None, least=0)
    """Epochs between online kNN evaluations; chosen to cost little where not given, 0 for never."""


@dataclass(frozen=True, kw_only=True)
class Evaluate(options.Evaluate, Clips, Reading, Trust):
    """Options of measuring a backbone of clips"""

    test: str | None = option(None, path=True)
    """Labelled videos to test on; a fifth of the data, whole sources at a time, where not given."""
    protocols: str = option("retrieval,linear")
    """Of retrieval, knn, linear, finetune, background; commas between."""
    labels: float = option(1.0, above=0, most=1)
    """Share of the training labels to use, at least one a class."""
    epochs: int | None = option(None, least=1, seconds=1e-3)
    """Of finetune; the protocol's where not given."""
    auxiliary: Literal["cmd"] | None = option(None)
    """A task that finetune learns beside the labels: cmd foretells the motion behind each clip."""
    auxiliary_weight: float = option(1.0, above=0)
    """Its weight beside the labels' loss."""
    clips: int = option(10, least=1)
    """Clips, evenly spaced, whose features or scores are averaged for a video."""
    average: Literal["softmax", "logits"] = option("softmax")
    """What of the clips is averaged where a classifier answers."""
    same_source: bool = option(True)
    """Let a query be answered by videos of its own source, where sources are known."""
    seed: int = option(0)
    """The seed of the split, the probes and the few labels."""
    batch_size: int = option(32, least=1)
    """Clips a forward pass."""
    precision: Literal["auto", "bf16", "fp32"] = option("auto")
    """auto takes bf16 on GPUs that have it; on CPUs fp32 alone."""
    shard: str | None = option(None)
    """One of several processes that share the features out: 3/64, or auto by RANK and WORLD_SIZE or an array of SLURM;
    parts that are there are passed over, and the process that finds all of them measures."""


@dataclass(frozen=True, kw_only=True)
class Compare(options.Compare, Clips, Reading):
    """Options of comparing on videos"""

    test: str | None = option(None, path=True)
    """Labelled videos to test on; a fifth of the data, whole sources at a time, where not given."""
    protocols: str = option("retrieval,linear")
    """As for evaluate, commas between."""
    backbone: str = option("auto")
    """As for pretrain."""
    clips: int = option(10, least=1)
    """As for evaluate."""
    precision: Literal["auto", "bf16", "fp32"] = option("auto")
    """auto takes bf16 on GPUs that have it; on CPUs fp32 alone."""
    supervised: bool = option(True)
    """Also train the same network with the labels, as a ceiling."""


@dataclass(frozen=True, kw_only=True)
class Embed(options.Embed, Clips, Reading, Trust):
    """Options of embedding videos"""

    clips: int = option(10, least=1)
    """Clips of a video, evenly spaced."""
    each_clip: bool = option(False)
    """Write a vector for each clip, with its first and last frame, not their mean."""
    batch_size: int = option(32, least=1)
    """Clips a forward pass."""
    precision: Literal["auto", "bf16", "fp32"] = option("auto")
    """auto takes bf16 on GPUs that have it; on CPUs fp32 alone."""
    shard: str | None = option(None)
    """One of several processes that share the work out: 3/64, or auto by RANK and WORLD_SIZE or an array of SLURM; what
    is written is a folder of parts then, of which those that are there are passed over."""


@dataclass(frozen=True, kw_only=True)
class Load(Clips, Trust):
    """Options of opening a backbone of clips in Python"""

    fps: float | None = option(None, above=0, most=1000)
    """Frames a second to which `encode` brings videos; as in pretraining where not given."""
    clips: int = option(10, least=1)
    """Clips of a video, evenly spaced, whose mean `encode` gives."""
    batch_size: int = option(32, least=1)
    """Clips a forward pass of `encode`."""
    precision: Literal["auto", "bf16", "fp32"] = option("auto")
    """That of `encode`; auto takes bf16 on GPUs that have it; on CPUs fp32 alone."""


@dataclass(frozen=True, kw_only=True)
class Export(Trust):
    """Options of exporting a backbone of clips"""

    format: Literal["safetensors", "torchvision", "onnx"] = option("torchvision")
    """Which library is to load it: torchvision takes backbones that come from there."""
    out: str | None = option(None, path=True)
    """The file; backbone-FORMAT in the run folder, or NAME-FORMAT beside a file NAME, where not given."""

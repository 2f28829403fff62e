"""The options of each verb for images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from twofold.catalog import options
from twofold.catalog.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Columns(Options):
    """Options of reading images"""

    image_column: str | None = option(None)
    """The image column of a parquet file: encoded images, or paths of files from its folder."""
    label_column: str | None = option(None)
    """The label column of a parquet file, or of metadata.csv beside images."""
    part: str | None = option(None)
    """Of data in parts: train, valid, test, unlabelled, all, or none where folders of such names are classes; by what
    it is read for where not given."""
    class_level: int | None = option(None, least=0)
    """The folder in an image's path that is its class, 1 for the outermost, 0 for no labels; recognised where not
    given."""
    """The label column of a parquet file."""
    channels: Literal["auto", "rgb"] | int = option("auto", least=1, most=16)
    """How many channels of each image are kept as they are, with 16 bits; rgb makes RGB of all; auto does where there
    are 1, 3 or 4, and keeps any other number."""
    white: float | None = option(None)
    """The level that counts as white in images of more than 8 bits (4095 for 12); guessed where not given."""
    black: float | None = option(None)
    """The level that counts as black in images of more than 8 bits; 0, or guessed, where not given."""
    fourth_channel: Literal["auto", "alpha", "drop"] = option("auto")
    """What a fourth channel is: alpha, laid over white, or none of the picture, dropped; auto guesses."""
    workers: int | None = option(None, least=0, harmless=True, takes=1 << 20)
    """Processes or threads that decode; by the usable cores where not given."""

    def wanted(self, role: str = "train") -> dict[str, Any]:
        """What `reading.open_source` is asked. role: what the images are for, "train", "valid", "test" or "all"; the
        part that is named is that of what is learned from or looked at."""
        own = role in ("train", "all") or self.part == "none"
        return {
            "image_column": self.image_column,
            "label_column": self.label_column,
            "part": self.part if own else None,
            "class_level": self.class_level,
            "role": role,
            "channels": self.channels if isinstance(self.channels, int) else None,
        }

    def read_as(self) -> dict[str, Any]:
        """What `looking.settle_pixels` is told."""
        return {
            "white": self.white,
            "black": self.black,
            "fourth": self.fourth_channel,
            "channels": self.channels,
        }


@dataclass(frozen=True, kw_only=True)
class Labels(Options):
    """Options of reading masks and boxes"""

    classes: str | None = option(None, path=True)
    """Classes of masks or boxes: a file, or names with commas, which may say values (0=background,255=cell)."""
    ignore_id: list[int] | None = option(None)
    """Mask values that count nowhere; by the names of the classes, or 255, where not given."""
    boxes: Literal["xywh", "xyxy", "cxcywh"] | None = option(None)
    """What the four numbers of a box are; what is usual in the format, as long as they fit, where not given."""
    images: str | None = option(None, path=True)
    """The folder or parquet file of the labelled pictures, where it is not beside the labels."""
    test_images: str | None = option(None, path=True)
    """The same for the labels to test on (for check those of --val); what --images says where not given."""
    snap: bool = option(False)
    """Give mask values and colours that no class has to the nearest that one has."""
    mask_column: str | None = option(None)
    """The mask column of a parquet file."""

    def of_labels(self) -> dict[str, Any]:
        """These options by name, as `labels.open_pair` takes them."""
        return {name: getattr(self, name) for name in Labels.own_names()}

    def of_one(self, test: bool = False) -> dict[str, Any]:
        """These options by name, as `labels.open_labelled` takes them; of labels to test on, or to learn from."""
        found = self.of_labels()
        own = found.pop("test_images")
        return {**found, "images": own or self.images} if test else found


@dataclass(frozen=True, kw_only=True)
class Dense(Options):
    """Options of measuring maps"""

    dense_size: int | None = option(None, least=16)
    """Short side of the pictures in pixels for protocols on maps; what makes 12 cells where not given."""
    dense_layers: Literal["last", "3", "3+4"] = option("last")
    """The map: the last one, or of ResNets that of stage 3, or both."""
    memory_cells: int = option(100_000, least=1)
    """Labelled cells that retrieval-segmentation remembers at most."""
    compat: Literal["none", "open-hummingbird"] = option("none")
    """Whose reading of ignored pixels and colours retrieval-segmentation follows; none for ours."""


@dataclass(frozen=True, kw_only=True)
class Finetuning(Options):
    """Options of detection and segmentation by training (faster-rcnn, mask-rcnn, fcn, deeplabv3)"""

    preset: Literal["quick", "voc-c4-24k", "coco-fpn-1x", "densecl-voc-20k", "cityscapes"] = option("quick")
    """The published settings of a protocol, or quick ones for a laptop; --image-size sets their short side."""
    iterations: int | None = option(None, least=1)
    """Steps of training; the preset's where not given, whose schedule shrinks or grows with them."""
    train_batch: int | None = option(None, least=1)
    """Images a step; the preset's where not given, whose learning rate shrinks or grows with them."""
    keep_empty: bool = option(False)
    """Train detectors on images without objects, too; in the test they always are."""
    supervised_weights: str | None = option(None, path=True)
    """A checkpoint of the same network trained with labels, to be measured beside."""


@dataclass(frozen=True, kw_only=True)
class Trust(Options):
    """Options of opening what somebody wrote"""

    trust: bool = option(False)
    """Import the network's own module that the file names."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(options.Pretrain, options.Network, Columns):
    """Options of training on images"""

    val: str | None = option(None, path=True)
    """Labelled images that the online kNN is tested on; without them, on folds of the training images."""
    backbone: str = option("auto")
    """A torchvision or timm name, resnet10, convnet, or module:callable of your own."""
    stem: Literal["auto", "cifar", "stl", "imagenet"] = option("auto")
    """The first layers; auto fits them to the image size."""
    weights: str = option("random", path=True)
    """random, torchvision, a checkpoint file, or a run folder, whose backbone is trained on, with its heads, twin and
    queue where they fit."""
    image_size: int | None = option(None, least=8)
    """Side of the views in pixels; by the data where not given."""
    views: str = option("auto")
    """The augmentation, by name, or package.module:views of your own: a recipe as data, or something to call with each
    picture, which is slow; auto takes the recipe's."""
    view_options: dict[str, Any] | None = option(None)
    """A change of the views: a probability, as --views.jitter 0, or a field, as --views.crop.area 0.2,1; `twofold
    methods METHOD` lists them."""
    statistics: str = option("auto")
    """Normalisation of the pixels: imagenet, cifar10, cifar100, stl10, tiny-imagenet, none, measured on the images, or
    means and deviations (0.1,0.2:0.05,0.06); auto measures what is no RGB."""
    colour: Literal["exact", "linear"] = option("exact")
    """Colour jitter exactly like torchvision's, or linear (faster, a little different)."""
    memory_gb: float | None = option(None, least=0, harmless=True)
    """Memory for decoded images; a share of what is free where not given, 0 to decode every time."""
    max_unreadable: float = option(0.05, least=0, most=1)
    """Share of unreadable images past which the run ends."""
    knn_every: int | None = option(None, least=0)
    """Epochs between online kNN evaluations; chosen to cost little where not given, 0 for never."""
    correspondence_every: int | None = option(None, least=0)
    """Epochs between checks of correspondence, whether cells are found again in another crop of the same image; like
    the kNN's where not given, 0 for never."""


@dataclass(frozen=True, kw_only=True)
class Check(Pretrain, Labels):
    """Options of looking at images"""


@dataclass(frozen=True, kw_only=True)
class Evaluate(options.Evaluate, Columns, Labels, Dense, Finetuning, Trust):
    """Options of measuring a backbone"""

    test: str | None = option(None, path=True)
    """Labelled images to test on; a fifth of the data, class by class, where not given."""
    protocols: str = option("knn,linear")
    """Of knn, 5nn, linear, linear-moco, linear-simsiam, linear-simclr, linear-simclr-cifar, finetune; on maps
    correspondence, correspondence-colour, linear-segmentation, retrieval-segmentation, cluster-segmentation,
    discovery, keypoints, roi-linear; by training faster-rcnn, mask-rcnn, fcn, deeplabv3; commas between."""
    labels: float = option(1.0, above=0, most=1)
    """Share of the training labels to use (0.01 and 0.1 are customary), at least one a class; on maps of the labelled
    pictures."""
    epochs: int | None = option(None, least=1, seconds=1e-3)
    """Of linear-* and finetune; the published number where not given (40 for linear-segmentation)."""
    image_size: int | None = option(None, least=8)
    """Side in pixels; that of pretraining where not given."""
    seed: int = option(0)
    """The seed of the split, the probes and the few labels."""
    batch_size: int = option(256, least=1)
    """Images a forward pass."""
    precision: Literal["auto", "bf16", "fp32"] = option("auto")
    """auto takes bf16 where the hardware has it."""
    shard: str | None = option(None)
    """One of several processes that share the features out: 3/64, or auto by RANK and WORLD_SIZE or an array of SLURM;
    parts that are there are passed over, and the process that finds all of them measures."""


@dataclass(frozen=True, kw_only=True)
class Compare(options.Compare, Columns, Labels, Dense, Finetuning):
    """Options of comparing on images"""

    test: str | None = option(None, path=True)
    """Labelled images to test on; a fifth of the data, class by class and seed by seed, where not given."""
    protocols: str = option("knn,5nn,linear")
    """As for evaluate, commas between; none for only what needs no labels."""
    backbone: str = option("auto")
    """As for pretrain."""
    stem: Literal["auto", "cifar", "stl", "imagenet"] = option("auto")
    """As for pretrain."""
    image_size: int | None = option(None, least=8)
    """Side of the views in pixels; by the data where not given."""
    precision: Literal["auto", "bf16", "fp32"] = option("auto")
    """auto takes bf16 where the hardware has it."""
    memory_gb: float | None = option(None, least=0)
    """Memory for decoded images; a share of what is free where not given, 0 to decode every time."""
    supervised: bool = option(True)
    """Also train the same network with the labels, as a ceiling."""


@dataclass(frozen=True, kw_only=True)
class Embed(options.Embed, Columns, Trust):
    """Options of embedding images"""

    image_size: int | None = option(None, least=8)
    """Side in pixels; that of pretraining where not given."""
    batch_size: int = option(256, least=1)
    """Images a forward pass."""
    precision: Literal["auto", "bf16", "fp32"] = option("auto")
    """auto takes bf16 where the hardware has it."""
    shard: str | None = option(None)
    """One of several processes that share the work out: 3/64, or auto by RANK and WORLD_SIZE or an array of SLURM; what
    is written is a folder of parts then, of which those that are there are passed over."""


@dataclass(frozen=True, kw_only=True)
class Load(Trust):
    """Options of opening a backbone in Python"""

    image_size: int | None = option(None, least=8)
    """Side in pixels; that of pretraining where not given."""
    batch_size: int = option(256, least=1)
    """Images a forward pass of `encode`."""
    precision: Literal["auto", "bf16", "fp32"] = option("auto")
    """That of `encode`; auto takes bf16 where the hardware has it."""
    white: float | None = option(None)
    """The level that is white in images of more than 8 bits; that of pretraining where not given."""
    fourth_channel: Literal["auto", "alpha", "drop"] = option("auto")
    """What a fourth channel is: transparency, or something to be left out; auto takes what it was in pretraining."""


@dataclass(frozen=True, kw_only=True)
class Export(Trust):
    """Options of exporting a backbone"""

    format: Literal[
        "safetensors",
        "torchvision",
        "timm",
        "onnx",
        "detectron2",
        "mmdet",
        "mmseg",
        "smp",
        "transformers",
        "ultralytics",
    ] = option("torchvision")
    """Which library is to load it: torchvision and timm take backbones that come from there, the others ResNets, and
    transformers vision transformers too; see docs/export.md."""
    out: str | None = option(None, path=True)
    """The file, for transformers a folder; backbone-FORMAT in the run folder, or NAME-FORMAT beside a file NAME, where
    not given."""


@dataclass(frozen=True, kw_only=True)
class Prepare(Columns):
    """Options of shrinking images"""

    short_side: int = option(256, least=8)
    """Pixels of the short side; smaller images stay as they are."""

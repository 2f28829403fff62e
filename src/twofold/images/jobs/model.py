"""Which backbone a command means: a run folder, an exported file, or a network by name, with published weights or
untrained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from twofold.errors import UserError
from twofold.images.backbones import Backbone, build_backbone, load_backbone
from twofold.images.backbones.published import PUBLISHED, published_backbone
from twofold.images.evaluation.features import InputSettings
from twofold.images.options import Columns, Embed, Evaluate, Load
from twofold.images.reading import Images, Source, open_source
from twofold.images.reading.looking import settle_pixels
from twofold.images.reading.pixels import PixelRule
from twofold.pixels.backbones.loading import run_or_file
from twofold.pixels.batch import RGB
from twofold.pixels.views.channels import statistics_of
from twofold.printable import say
from twofold.randomness import derive
from twofold.training.distribution import choose_precision

RANDOM = "random:"

Reading = TypeVar("Reading", bound=Columns)


@dataclass(frozen=True)
class Model:
    """A backbone in evaluation mode on its device, how images reach it, how those were read that it learned from, the
    precision in which it did, its names, and its run folder if any."""

    backbone: Backbone
    inputs: InputSettings
    pixels: PixelRule
    precision: str
    method: str
    name: str
    run: Path | None


def open_model(
    name: str,
    *,
    image_size: int | None = None,
    precision: str = "auto",
    batch_size: int = 256,
    trust: bool | str = False,
    seed: int = 0,
    channels: int | None = None,
) -> Model:
    """The model that a command line names. Raises UserError where there is none, in words that say what to do.

    seed: of the weights of an untrained network, which its names then tell. trust: whether, or by which one import
    path, it may bring its own network; see `backbones.load_backbone`. channels: that an untrained network takes as they
    are, not normalised; None for RGB.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run: Path | None = None
    if name.startswith(RANDOM):
        size = image_size or 224
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "weights"))
            backbone = build_backbone(name[len(RANDOM) :], image_size=size, channels=channels or RGB).eval()
        about: dict[str, Any] = {"image_size": size, "method": f"untrained (seed {seed})"}
        about["mean"], about["std"] = statistics_of("none" if channels else "imagenet", channels or RGB)
        about["channels"] = channels
    elif name.startswith(PUBLISHED):
        backbone, about = published_backbone(name, image_size)
    else:
        path, run = run_or_file(name, f", timm:NAME or torchvision:NAME for published weights, or {RANDOM}resnet18")
        backbone, about = load_backbone(path, trust=trust)
        about.setdefault("fourth_channel", "alpha")  # what earlier versions, which do not say so, took it for
    inputs = InputSettings(
        image_size or int(about["image_size"]),
        tuple(about["mean"]),
        tuple(about["std"]),
        device=device,
        precision=choose_precision(precision, device),  # type: ignore[arg-type]
        batch_size=batch_size,
    )
    backbone = backbone.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    pixels, called = _rule_in(about), name.rstrip("/")
    called = f"{name} (seed {seed})" if name.startswith(RANDOM) else called
    return Model(backbone, inputs, pixels, str(about.get("precision", "fp32")), str(about["method"]), called, run)


def _rule_in(about: Mapping[str, Any]) -> PixelRule:
    """The rule that a file tells by which its images were read; see `transform.facts`."""
    kept = about.get("channels"), about.get("black", 0.0), about.get("deep", False)
    return PixelRule(about.get("white"), about.get("fourth_channel"), *kept)


def open_for(name: str, options: Embed | Evaluate | Load, seed: int = 0) -> Model:
    """The model that a verb is asked about, as its options want it; see `open_model`."""
    return open_model(
        name,
        image_size=options.image_size,
        precision=options.precision,
        batch_size=options.batch_size,
        trust=options.trust,
        seed=seed,
        channels=options.channels if isinstance(options, Columns) and isinstance(options.channels, int) else None,
    )


def open_data(data: str, options: Columns, role: str = "train") -> Source:
    """The images of a path, with the rule by which their pixels are read. role: what they are for.

    See `Columns.wanted` and `looking.settle_pixels`.
    """
    source = open_source(data, **options.wanted(role))
    settle_pixels(source, **options.read_as(), refuse=True)
    return source


def print_notes(source: Source) -> None:
    """Say what was guessed about the data, and how its pixels are read, where there is something to say."""
    for line in source.notes:
        say(line)
    for line in source.pixel_notes:
        say(f"{source.path}: {line}")


def as_trained(options: Reading, model: Model) -> Reading:
    """The options with what the model's own images had as channels, white, black and fourth channel, where they are not
    given. Raises UserError for other channels than the model takes."""
    takes, pixels = model.backbone.channels, model.pixels
    asked = options.channels if isinstance(options.channels, int) else RGB if options.channels == "rgb" else takes
    if asked != takes:
        raise UserError(f"{model.name} takes {takes} channels, not {asked}: leave --channels out.")
    fourth = options.fourth_channel if options.fourth_channel != "auto" else pixels.fourth or "auto"
    return replace(
        options,
        channels=options.channels if options.channels != "auto" else pixels.channels or "rgb",
        white=pixels.white if options.white is None else options.white,
        black=pixels.black or None if options.black is None else options.black,
        fourth_channel=fourth,
    )


def read_alike(options: Reading, pixels: PixelRule) -> Reading:
    """The options by which other images are read by a rule that is known."""
    return replace(
        options,
        channels=pixels.channels or "rgb",
        white=pixels.white,
        black=pixels.black or None,
        fourth_channel=pixels.fourth or "auto",
    )


def open_images(
    data: str, options: Columns, size: int, device: torch.device | str, role: str = "train", **settings: Any
) -> Images:
    """The images of a path, for views of `size` pixels. role: what they are for; see `Columns.wanted`.

    They are kept at twice the size on the short side: crops smaller than half of that are enlarged, as they are from
    the usual 500 px photographs at 224 px.
    """
    return images_of(open_data(data, options, role), options, size, device, **settings)


def images_of(source: Source, options: Columns, size: int, device: torch.device | str, **settings: Any) -> Images:
    """The images of a source, as `open_images` opens them."""
    return Images(source, short_side=2 * size, workers=options.workers, device=device, **settings)

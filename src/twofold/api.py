"""The verbs: what twofold does, in Python and, with the same names, on the command line.

A verb finds the wing that its subject belongs to, and calls that wing's job with checked options. Options are given by
name, `twofold.pretrain("moco", "photos/", epochs=100)`, or as the wing's record, which says what each means:
`twofold.pretrain("moco", "photos/", twofold.images.Pretrain(epochs=100))`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold import wings
from twofold.catalog import options as shared
from twofold.dispatch import ask, learn
from twofold.errors import UserError
from twofold.given import as_path, given, is_given, takes_data
from twofold.launcher import once, once_or_shared
from twofold.run import Run, make_report

if TYPE_CHECKING:
    from twofold.catalog.describe import Listed, Method


@takes_data
def pretrain(method: str, data: Any, options: shared.Pretrain | None = None, **by_name: Any) -> Run:
    """Learn a representation from data without labels. The same command again goes on where it stopped.

    Labels, where the data has them, are read by measurements alone.

    Examples:
        twofold pretrain simclr photos/ --out runs/photos
        twofold pretrain moco+co2 photos/ --epochs 100 --batch-size 256 --method.temperature 0.15
        twofold pretrain byol train.parquet --val test.parquet --backbone timm:convnext_tiny --image-size 128
        twofold pretrain sgl plays.csv --user-column listener --item-column track --out runs/plays
        twofold pretrain rainbow+rcrl ALE/Pong-v5 --steps 100000
        twofold pretrain --config runs/photos/config.yaml --out runs/again

    Args:
        method: A name of `twofold methods`, a composition such as moco+co2, or an import path (moco+mypackage.MyIdea).
        data: Images: a folder, a text list, a parquet file, tar shards, .npz or idx arrays, or an fsspec URL of one of
            these. Videos: a folder, a tar file, a list, a file, or a URL. Interactions: a CSV, TSV, parquet, .inter or
            .npz file of pairs, one line a user, or a folder of train, valid and test files. Control: the id of an
            environment, or logged episodes, .npz or HDF5.
        options: A record of the options, such as twofold.images.Pretrain; or give them by name.

    Returns:
        The run: a path-like object with its numbers and its model.
    """
    name = str(by_name.get("backbone"))
    return Run(learn("pretrain", method, data, options, by_name), given(name) if is_given(name) else None)


@takes_data
@once
def check(
    data: Any, options: shared.Pretrain | None = None, *, method: str | None = None, **by_name: Any
) -> dict[str, Any]:
    """Look at the data, and at what a method would do with it, in seconds: counts, unreadable files, sizes.

    Takes the options of pretrain. Of labelled images it says what a dense task would read: pictures, classes with their
    objects or pixels, and what is odd in the labels.

    Examples:
        twofold check photos/
        twofold check photos/ --method moco --batch-size 256
        twofold check annotations/instances_train.json --images train/
        twofold check plays.csv --method sgl --split time

    Args:
        data: As for pretrain.
        method: Say what this method would do with them; a usual one for such data where not given.
        options: A record of the options, such as twofold.images.Check; or give them by name.

    Returns:
        The numbers.
    """
    if method is None:
        method = wings.of_data(as_path("data", data), wings.deciding("kind", options, by_name)).usual
    return learn("check", method, data, options, by_name)


@takes_data
@once_or_shared
def evaluate(model: str, data: Any, options: shared.Evaluate | None = None, **by_name: Any) -> list[dict[str, Any]]:
    """Measure a representation with labels, or recommendations by ranking; floors stand beside each number.

    Prints a table; a run folder keeps it.

    Examples:
        twofold evaluate runs/photos train/ --test test/
        twofold evaluate runs/photos train.parquet --test test.parquet --protocols knn,5nn,linear,linear-simclr
        twofold evaluate backbone.safetensors train/ --test test/ --protocols finetune --labels 0.1
        twofold evaluate runs/streets train.parquet --test test.parquet --protocols linear-segmentation
        twofold evaluate runs/plays later-plays.csv --at 1,10,100
        twofold evaluate runs/pong ALE/Pong-v5 --episodes 100

    Args:
        model: A run folder, an exported backbone (.safetensors), timm:NAME or torchvision:NAME for published weights,
            or random:NAME for an untrained network.
        data: Labelled images to learn from. Interactions: the data of the run, whose test part is asked about, or other
            pairs to be found. Control: an environment in which the agent plays, or logged episodes.
        options: A record of the options, such as twofold.images.Evaluate; or give them by name.

    Returns:
        The results.
    """
    return ask("evaluate", as_path("model", model), options, by_name, as_path("data", data))


@takes_data
@once_or_shared
def embed(model: str, data: Any, options: shared.Embed | None = None, **by_name: Any) -> Path:
    """Write a vector for every image, user or item: a parquet file with name (or id), label and embedding.

    Examples:
        twofold embed runs/photos photos/ --out photos-embeddings.parquet
        twofold embed runs/plays items --out items.parquet

    Args:
        model: A run folder or an exported backbone (.safetensors).
        data: Images, as for pretrain. Interactions: users or items.
        options: A record of the options, twofold.images.Embed; or give them by name.

    Returns:
        The file.
    """
    return ask("embed", as_path("model", model), options, by_name, as_path("data", data))


@once
def export(model: str, options: shared.Options | None = None, **by_name: Any) -> Path:
    """Write what was learned as a file for other libraries, check it by loading it, and print the lines that load it.

    Examples:
        twofold export runs/photos --format torchvision
        twofold export runs/photos --format onnx --out photos.onnx
        twofold export runs/plays --format faiss

    Args:
        model: A run folder or an exported backbone (.safetensors).
        options: A record of the options, twofold.images.Export or twofold.interactions.Export;
            or give them by name.

    Returns:
        The file.
    """
    return ask("export", as_path("model", model), options, by_name)


@once
def recommend(run: str, options: shared.Options | None = None, **by_name: Any) -> Path:
    """The best items for each user, with the ids of the data, as parquet: user, rank, item, score, basis.

    Users of whom nothing is known get the most popular items, and their basis says so.

    Examples:
        twofold recommend runs/plays --k 50
        twofold recommend runs/plays --users ann,bob --candidates in-stock.txt --out for-two.parquet
        twofold recommend runs/plays --history new-users.csv

    Args:
        run: The run folder of a method for interactions.
        options: A record of the options, twofold.interactions.Recommend; or give them by name.

    Returns:
        The file.
    """
    return ask("recommend", as_path("run", run), options, by_name)


@once
def similar(run: str, items: str, options: shared.Options | None = None, **by_name: Any) -> Path:
    """The items nearest to some items, by the cosine of their embeddings, as parquet: item, rank, similar, cosine.

    Examples:
        twofold similar runs/plays track-17,track-4
        twofold similar runs/plays tracks.txt --k 5 --out neighbours.parquet

    Args:
        run: The run folder of a method for interactions.
        items: Ids with commas, or a file of one a line.
        options: A record of the options, twofold.interactions.Similar; or give them by name.

    Returns:
        The file.
    """
    return ask("similar", as_path("run", run), options, by_name, items)


@once
def prepare(
    data: str, out: str, options: shared.Options | None = None, *, kind: str | None = None, **by_name: Any
) -> Path:
    """Write data once in a form that later runs read fast; the same command again goes on where it stopped.

    Examples:
        twofold prepare photos/ photos-256 --short-side 256
        twofold prepare clips/ clips-128 --motion

    Args:
        data: Images or videos, as for pretrain.
        out: A new folder; give it as data from then on.
        kind: The kind of data, where a look at it leaves that open.
        options: A record of the options, twofold.images.Prepare or twofold.videos.Prepare; or give them by name.

    Returns:
        The folder.
    """
    data, out = as_path("data", data), as_path("out", out)
    able = [wing for wing in wings.WINGS if "prepare" in wing.verbs]
    wing = able[0] if kind is None and len(able) == 1 else wings.of_data(data, kind)
    found, options = wings.checked(wing, "prepare", options, by_name, f"{data} is for {wing.kind}")
    return found.load()(data, out, options)


@takes_data
@once
def compare(methods: str, data: Any, options: shared.Compare | None = None, **by_name: Any) -> dict[str, Any]:
    """Train several methods on the same data under one budget, with several seeds, and set them side by side.

    Every run is a run folder of pretrain, measured as evaluate does beside its floors. The same command again goes on
    where it stopped; one with more methods, seeds or protocols does only what is missing. Numbers are means over seeds
    with 95 % intervals.

    Examples:
        twofold compare simclr,moco train/ --test test/ --epochs 100
        twofold compare "moco,moco+co2,moco[temperature=0.1,queue=4096]" photos/ --seeds 5 --minutes 30
        twofold compare moco,simclr,byol train.parquet --recipe-of moco --steps 2000 --out runs/one-recipe
        twofold compare lightgcn,sgl,item-knn plays.csv --split last

    Args:
        methods: Names as for pretrain, commas between, settings in brackets; the others are set against the first.
        data: As for pretrain; labels, where there are any, are for the measuring.
        options: A record of the options, such as twofold.images.Compare; or give them by name.

    Returns:
        What compare.json holds.
    """
    from twofold.comparison.entries import read_entries

    data = as_path("data", data)
    entries = read_entries(methods, wings.composed, wings.deciding("recipe_of", options, by_name))
    wing = wings.of_methods([e.composition for e in entries], data, wings.deciding("kind", options, by_name))
    entries = [entry.on(wing.kind) for entry in entries]
    found, options = wings.checked(wing, "compare", options, by_name, f"{entries[0].name} learns from {wing.kind}")
    return found.load()(entries, data, options)


@once
def report(runs: list[str] | str, *, out: str | None = None) -> Path:
    """One self-contained HTML page for a run or several: curves, numbers beside their floors, samples, settings.

    Examples:
        twofold report runs/photos
        twofold report runs/a runs/b --out compare.html

    Args:
        runs: Run folders.
        out: The page; report.html in the run folder, or here for several runs, where not given.

    Returns:
        The page.
    """
    folders = [Path(as_path("runs", run)) for run in ([runs] if isinstance(runs, str | os.PathLike) else runs)]
    if not folders:
        raise UserError("report needs at least one run folder.")
    return make_report(folders, out)


def open_run(path: str | os.PathLike[str], backbone: Any = None) -> Run:
    """A run that is there already, finished or not, as `pretrain` returns it. path: its folder. backbone: see `Run`."""
    return Run(path, backbone)


def load(model: str, options: shared.Options | None = None, **by_name: Any) -> Any:
    """What was learned as an object: of images an `ImageModel`, a network with the transform that goes before it; of
    videos a `ClipModel`; of interactions a `LoadedRecommender`; of control an encoder, or a policy.

    Args:
        model: As for `evaluate`.
        options: A record of the options, such as twofold.images.Load; or give them by name.
    """
    return ask("load", as_path("model", model), options, by_name)


def list_methods() -> list[Listed]:
    """What there is: every method with its paper, the data that it learns from, and how well it is verified."""
    from twofold.catalog.describe import listed

    return listed(wings.catalog())


def describe(method: str) -> Method:
    """A method or a composition: its parts, their settings with types, defaults and meanings, and its recipes."""
    from twofold.catalog.describe import method_of

    return method_of(wings.composed(method), wings.WINGS)

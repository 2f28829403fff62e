"""The verbs: what twofold does, in Python and, with the same names, on the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from twofold.errors import UserError


def pretrain(
    method: str,
    data: str,
    *,
    out: str | None = None,
    val: str | None = None,
    test: str | None = None,
    recipe: str = "auto",
    backbone: str = "auto",
    stem: Literal["auto", "cifar", "stl", "imagenet"] = "auto",
    weights: str = "random",
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    image_size: int | None = None,
    views: str = "auto",
    statistics: str = "auto",
    colour: Literal["exact", "linear"] = "exact",
    optimizer: Literal["auto", "sgd", "lars", "adam", "adamw"] = "auto",
    base_lr: float | None = None,
    lr: float | None = None,
    weight_decay: float | None = None,
    warmup_epochs: float | None = None,
    scaling: Literal["auto", "linear", "sqrt", "none"] = "auto",
    schedule: Literal["auto", "cosine", "cosine-epoch", "step", "constant"] = "auto",
    milestones: list[int] | None = None,
    drop: float | None = None,
    accumulate: int = 1,
    seed: int = 0,
    devices: int | None = None,
    nodes: int = 1,
    precision: Literal["auto", "bf16", "fp32"] = "auto",
    workers: int | None = None,
    memory_gb: float | None = None,
    compile: bool = False,
    image_column: str | None = None,
    label_column: str | None = None,
    max_unreadable: float = 0.05,
    user_column: str | None = None,
    item_column: str | None = None,
    weight_column: str | None = None,
    time_column: str | None = None,
    min_weight: float | None = None,
    core: int = 0,
    split: Literal["ratio", "last", "time", "none"] = "ratio",
    noise: float = 0.0,
    titles: str | None = None,
    patience: int | None = None,
    select_on: Literal["valid", "test"] = "valid",
    knn_every: int | None = None,
    eval_every: int | None = None,
    save_every: float = 120.0,
    log_every: int | None = None,
    report: bool = True,
    quiet: bool = False,
    method_options: dict[str, Any] | None = None,
) -> Path:
    """Learn a representation from unlabelled images, or from a log of who used what.

    The same command again goes on where it stopped. Labels, where the data has them, are read by the online kNN alone.
    Options that belong to the other kind of data are refused.

    Examples:
        twofold pretrain simclr photos/ --out runs/photos
        twofold pretrain moco+co2 photos/ --epochs 100 --batch-size 256 --method.temperature 0.15
        twofold pretrain byol train.parquet --val test.parquet --backbone timm:convnext_tiny --image-size 128
        twofold pretrain sgl plays.csv --user-column listener --item-column track --out runs/plays
        twofold pretrain --config runs/photos/config.yaml --out runs/again

    Args:
        method: A name of `twofold methods`, a composition such as moco+co2, or an import path (moco+mypackage.MyIdea).
        data: Images: a folder, a text list, a parquet file, tar shards, .npz or idx arrays, or an fsspec URL of one of
            these. Interactions: a CSV, TSV, parquet, .inter or .npz file of pairs, one line a user, or a folder of
            train, valid and test files.
        out: The run folder; runs/METHOD-DATA where not given.
        val: Labelled images that the online kNN is asked about; without it, it asks the training images one by one.
            Interactions: the validation pairs.
        test: Interactions: the test pairs, which are looked at once, at the end.
        recipe: Settings that belong together: for small images cifar, for large ones imagenet (auto goes by the image
            size); for interactions default, sparse, yelp2018, amazon-book or ifashion (auto is default).
        backbone: A torchvision or timm name, resnet10, convnet, or module:callable of your own.
        stem: The first layers; auto fits them to the image size.
        weights: random, torchvision, or a checkpoint file to start from.
        epochs: Passes over the data (or give steps).
        steps: Optimizer steps (or give epochs).
        batch_size: Images a step, over all devices.
        image_size: Side of the views in pixels; auto goes by the data.
        views: The augmentation recipe; auto takes the method's.
        statistics: Normalisation of the pixels: imagenet, cifar10, cifar100, stl10, tiny-imagenet or none.
        colour: Colour jitter exactly as torchvision's, or linear (faster, a little different).
        optimizer: The recipe's where auto.
        base_lr: Learning rate that is scaled with the batch size by the recipe's rule.
        lr: The final learning rate, not scaled.
        weight_decay: The recipe's where not given.
        warmup_epochs: Epochs of linear warm-up.
        scaling: How base_lr grows with the batch: times B/256 (linear), times the root of B (sqrt), or not at all.
        schedule: The recipe's where auto.
        milestones: Epochs at which the schedule "step" drops the rate; the recipe's, or 60 and 80 % of the run.
        drop: What the schedule "step" multiplies the rate with; the recipe's, or 0.1.
        accumulate: Chunks that a batch is cut into to save memory; losses still see the whole batch.
        seed: Of everything random.
        devices: GPUs or CPU processes on each machine; all GPUs, or one CPU process, where not given.
        nodes: Machines (start by torchrun or SLURM).
        precision: bf16 or fp32; auto takes bf16 where the hardware has it.
        workers: Processes or threads that decode; from the usable cores where not given.
        memory_gb: Memory for decoded images; a share of what is free where not given, 0 to decode every time.
        compile: Use torch.compile; goes on without it where that fails.
        image_column: The image column of a parquet file.
        label_column: The label column of a parquet file.
        max_unreadable: Share of unreadable images past which the run ends.
        user_column: Interactions: the column of users, a name or, without a header, a number; recognised by itself.
        item_column: Interactions: the column of items.
        weight_column: Interactions: the column of weights (ratings, counts), for --min-weight.
        time_column: Interactions: the column of times, for the splits last and time.
        min_weight: Interactions: pairs of less weight are left out.
        core: Interactions: keep users and items with at least so many pairs each; 0 for all.
        split: Interactions in one file: a share of each user's pairs at random (ratio), each user's last pairs (last),
            the latest pairs of all (time), or all for training (none).
        noise: Interactions: add random training pairs, a share of the true ones, to see how a method bears them.
        titles: Interactions: a CSV, TSV or parquet file of item ids and titles, for the sample recommendations of the
            report.
        patience: Interactions: end after so many epochs without a better one; 20 where not given, 0 for never.
        select_on: Interactions: the part by which the best epoch is chosen; test gives flattering, paper-style numbers.
        knn_every: Epochs between online kNN evaluations; chosen to cost little where not given, 0 for never.
        eval_every: Interactions: epochs between rankings of the validation part.
        save_every: Seconds between checkpoints.
        log_every: Steps between rows of metrics.csv.
        report: Write report.html at the end.
        quiet: Print warnings and the result only.
        method_options: Settings of the method and its additions; on the command line --method.NAME VALUE.
    """
    given = dict(locals())
    from twofold.catalog.composition import compose, resolve_options

    composition = compose(method)
    resolve_options(composition, method_options or {})
    if recipe != "auto":
        composition.recipe(recipe)
    _check_numbers(given)
    given = _own_options(given, composition.kind)
    if composition.kind == "interactions":
        from twofold.interactions.jobs.pretrain import run as learn

        return learn(composition, given)
    from twofold.images.jobs.pretrain import run

    return run(composition, given)


def evaluate(
    model: str,
    data: str,
    *,
    test: str | None = None,
    protocols: str = "knn,linear",
    labels: float = 1.0,
    epochs: int | None = None,
    image_size: int | None = None,
    floors: bool = True,
    at: str | None = None,
    seed: int = 0,
    batch_size: int = 256,
    precision: Literal["auto", "bf16", "fp32"] = "auto",
    workers: int | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    out: str | None = None,
    quiet: bool = False,
) -> list[dict[str, Any]]:
    """Measure a representation with labels: kNN, linear probes, fine-tuning, few labels; recommendations by ranking.

    Prints a table with the floors (raw pixels, an untrained network; popularity, the graph filter) beside each number;
    a run folder keeps it.

    Examples:
        twofold evaluate runs/photos train/ --test test/
        twofold evaluate runs/photos train.parquet --test test.parquet --protocols knn,5nn,linear,linear-sgd
        twofold evaluate backbone.safetensors train/ --test test/ --protocols finetune --labels 0.1
        twofold evaluate runs/plays later-plays.csv --at 1,10,100

    Args:
        model: A run folder, an exported backbone (.safetensors), or random:NAME for an untrained network.
        data: Labelled images to learn from. Interactions: the data of the run, whose test part is asked about, or other
            pairs to be found.
        test: Labelled images to be asked about; a fifth of the data, class by class, where not given.
        protocols: Of knn, 5nn, linear, linear-moco, linear-simsiam, linear-simclr, finetune; commas between.
        labels: Share of the training labels to use (0.01 and 0.1 are customary), at least one a class.
        epochs: Of linear-* and finetune; the published number where not given.
        image_size: Side in pixels; as in pretraining where not given.
        floors: Measure the floors, too.
        at: Interactions: lengths K of the lists, commas between; 5,10,20,50 where not given. 20 is always among them.
        seed: Of the split, the probes and the few labels.
        batch_size: Images a forward pass.
        precision: bf16 or fp32; auto takes bf16 where the hardware has it.
        workers: Processes or threads that decode.
        image_column: The image column of a parquet file.
        label_column: The label column of a parquet file.
        out: A JSON file for the results, beside what the run folder keeps.
        quiet: Print the table only.
    """
    given = dict(locals())
    _check_numbers(given)
    if _learned_from(model) == "interactions":
        _only(given, evaluate, "interactions", ("model", "data", "floors", "at", "out", "quiet"))
        from twofold.interactions.jobs.evaluate import run as rank

        return rank(given)
    if at is not None:
        raise UserError("--at belongs to interactions, and this model learned from images.")
    from twofold.images.jobs.evaluate import run

    return run(given)


def compare(
    methods: str,
    data: str,
    *,
    out: str | None = None,
    test: str | None = None,
    seeds: int = 3,
    first_seed: int = 0,
    epochs: int | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    protocols: str = "knn,5nn,linear",
    recipe: Literal["auto", "cifar", "imagenet"] = "auto",
    recipe_of: str | None = None,
    backbone: str = "auto",
    stem: Literal["auto", "cifar", "stl", "imagenet"] = "auto",
    batch_size: int | None = None,
    image_size: int | None = None,
    precision: Literal["auto", "bf16", "fp32"] = "auto",
    workers: int | None = None,
    memory_gb: float | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    supervised: bool = True,
    report: bool = True,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train several methods on the same data under one budget, with several seeds, and set them side by side.

    Every run is a run folder of `pretrain`, measured as `evaluate` does beside raw pixels and an untrained network; a
    network trained with the labels is the ceiling. The same command again goes on where it stopped; one with more
    methods, seeds or protocols does only what is missing. Numbers are means over seeds with 95 % intervals.

    Examples:
        twofold compare simclr,moco train/ --test test/ --epochs 100
        twofold compare "moco,moco+co2,moco[temperature=0.1,queue=4096]" photos/ --seeds 5 --minutes 30
        twofold compare moco,simclr,byol train.parquet --recipe-of moco --steps 2000 --out runs/one-recipe

    Args:
        methods: Names as for pretrain, commas between, settings in brackets; the others are set against the first.
        data: Images, as for pretrain; labels, where there are any, are for the measuring.
        out: The folder of the comparison; runs/compare-DATA where not given.
        test: Labelled images to be asked about; a fifth of the data, class by class and seed by seed, where not given.
        seeds: Runs of each method.
        first_seed: The seeds count from here.
        epochs: Passes over the data for each run; 100 where no budget is given.
        steps: Optimizer steps of each run (or epochs, or minutes).
        minutes: Minutes of training for each run, turned into steps by timing each method once.
        protocols: As for evaluate, commas between; none for what needs no labels alone.
        recipe: Published settings for small images (cifar) or large ones (imagenet); auto goes by the image size.
        recipe_of: A method whose views and optimiser plan all take, so that only the methods differ.
        backbone: As for pretrain.
        stem: As for pretrain.
        batch_size: Images a step, the same for all.
        image_size: Side of the views in pixels; auto goes by the data.
        precision: bf16 or fp32; auto takes bf16 where the hardware has it.
        workers: Processes or threads that decode.
        memory_gb: Memory for decoded images; a share of what is free where not given, 0 to decode every time.
        image_column: The image column of a parquet file.
        label_column: The label column of a parquet file.
        supervised: Train the supervised ceiling, too.
        report: Write report.html.
        quiet: Print the table only.
    """
    given = dict(locals())
    _check_numbers(given)
    from twofold.images.jobs.comparison.entries import read_entries

    entries = read_entries(methods, recipe_of)
    from twofold.images.jobs.compare import run

    return run(entries, given, _own_options(_defaults(pretrain), "images"), _defaults(evaluate))


def embed(
    model: str,
    data: str,
    *,
    out: str | None = None,
    image_size: int | None = None,
    batch_size: int = 256,
    precision: Literal["auto", "bf16", "fp32"] = "auto",
    workers: int | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    quiet: bool = False,
) -> Path:
    """Write a vector for every image, user or item: a parquet file with name (or id), label and embedding.

    Examples:
        twofold embed runs/photos photos/ --out photos-embeddings.parquet
        twofold embed runs/plays items --out items.parquet

    Args:
        model: A run folder or an exported backbone (.safetensors).
        data: Images, as for pretrain. Interactions: users or items.
        out: The parquet file; DATA-embeddings.parquet in the run folder (or here) where not given.
        image_size: Side in pixels; as in pretraining where not given.
        batch_size: Images a forward pass.
        precision: bf16 or fp32; auto takes bf16 where the hardware has it.
        workers: Processes or threads that decode.
        image_column: The image column of a parquet file.
        label_column: The label column of a parquet file.
        quiet: Print the result only.
    """
    given = dict(locals())
    _check_numbers(given)
    if _learned_from(model) == "interactions":
        _only(given, embed, "interactions", ("model", "data", "out", "quiet"))
        from twofold.interactions.jobs.embed import run as write

        return write(given)
    from twofold.images.jobs.embed import run

    return run(given)


def export(
    model: str,
    *,
    format: Literal["safetensors", "torchvision", "timm", "onnx", "faiss"] = "torchvision",
    out: str | None = None,
) -> Path:
    """Write the backbone as a file for other libraries, check it by loading it, and print the lines that load it.

    Examples:
        twofold export runs/photos --format torchvision
        twofold export runs/photos --format onnx --out photos.onnx
        twofold export runs/plays --format faiss

    Args:
        model: A run folder or an exported backbone (.safetensors).
        format: Whose names the weights get; torchvision and timm for backbones that come from there. Interactions:
            faiss, an index of the items.
        out: The file; backbone-FORMAT, or item_index.faiss, beside the model where not given.
    """
    if _learned_from(model) == "interactions":
        from twofold.interactions.jobs.export import run as index

        return index(dict(locals()))
    if format == "faiss":
        raise UserError("--format faiss is for runs on interactions; search images in the parquet file of `embed`.")
    from twofold.images.jobs.export import run

    return run(dict(locals()))


def report(runs: list[str], *, out: str | None = None) -> Path:
    """One self-contained HTML page for a run or several: curves, accuracy, embedding map, neighbours, views.

    Examples:
        twofold report runs/photos
        twofold report runs/a runs/b --out compare.html

    Args:
        runs: Run folders.
        out: The page; report.html in the run folder, or here for several runs, where not given.
    """
    from twofold.page import build
    from twofold.sections_of import sections_of

    folders = [Path(run) for run in ([runs] if isinstance(runs, str) else runs)]
    if not folders:
        raise UserError("report needs at least one run folder.")
    page = Path(out) if out else (folders[0] if len(folders) == 1 else Path()) / "report.html"
    build(folders, page, [sections_of(folder) for folder in folders])
    print(f"Report: {page}")
    return page


def check(
    data: str,
    *,
    method: str = "simclr",
    batch_size: int | None = None,
    image_size: int | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    user_column: str | None = None,
    item_column: str | None = None,
    weight_column: str | None = None,
    time_column: str | None = None,
    min_weight: float | None = None,
    core: int = 0,
    split: Literal["ratio", "last", "time", "none"] = "ratio",
) -> dict[str, Any]:
    """Look at the data, and at what a method would do with it, in seconds: counts, unreadable files, sizes.

    Examples:
        twofold check photos/
        twofold check photos/ --method moco --batch-size 256
        twofold check plays.csv --method sgl --split time

    Args:
        data: As for pretrain.
        method: Also say what this method would do with them; sgl or another for interactions.
        batch_size: As for pretrain.
        image_size: As for pretrain.
        image_column: The image column of a parquet file.
        label_column: The label column of a parquet file.
        user_column: As for pretrain.
        item_column: As for pretrain.
        weight_column: As for pretrain.
        time_column: As for pretrain.
        min_weight: As for pretrain.
        core: As for pretrain.
        split: As for pretrain.
    """
    given = dict(locals())
    _check_numbers(given)
    from twofold.catalog.composition import compose

    composition = compose(method)
    given = _own_options({**_defaults(pretrain), **given}, composition.kind)
    if composition.kind == "interactions":
        from twofold.interactions.jobs.check import run as look

        return look(composition, given)
    from twofold.images.jobs.check import run

    return run(composition, given)


def prepare(
    data: str,
    out: str,
    *,
    short_side: int = 256,
    workers: int | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
) -> Path:
    """Shrink large images once, so that later runs read them fast; the same command again goes on where it stopped.

    Examples:
        twofold prepare photos/ photos-256 --short-side 256

    Args:
        data: Images, as for pretrain.
        out: A new folder; give it as data from then on.
        short_side: Pixels of the short side; smaller images stay as they are.
        workers: Processes or threads that decode.
        image_column: The image column of a parquet file.
        label_column: The label column of a parquet file.
    """
    given = dict(locals())
    _check_numbers(given)
    from twofold.images.jobs.prepare import run

    return run(given)


def methods(name: str | None = None) -> None:
    """What there is: every method with its paper and how well it is verified; or one method with its settings.

    Examples:
        twofold methods
        twofold methods moco+co2

    Args:
        name: A method or a composition to describe.
    """
    from twofold.catalog.describe import describe_all, describe_one

    print(describe_one(name) if name else describe_all())


def recommend(
    run: str,
    *,
    users: str | None = None,
    k: int = 20,
    candidates: str | None = None,
    history: str | None = None,
    include_seen: bool = False,
    out: str | None = None,
    quiet: bool = False,
) -> Path:
    """The best items for each user, with the ids of the data, as parquet: user, rank, item, score, basis.

    Users of whom nothing is known get the most popular items, and their basis says so.

    Examples:
        twofold recommend runs/plays --k 50
        twofold recommend runs/plays --users ann,bob --candidates in-stock.txt --out for-two.parquet
        twofold recommend runs/plays --history new-users.csv

    Args:
        run: The run folder of a method for interactions.
        users: Ids with commas, or a file of one a line; all users where not given.
        k: Items for each user.
        candidates: Ids with commas, or a file of one a line: the only items that may be recommended.
        history: A file of pairs of new users, who are folded in without training; the basis of theirs is history.
        include_seen: Also recommend what a user already has.
        out: The parquet file; recommendations.parquet in the run folder where not given.
        quiet: Print the result only.
    """
    given = dict(locals())
    _check_numbers(given)
    _needs_interactions(run)
    from twofold.interactions.jobs.recommend import recommend as work

    return work(given)


def similar(run: str, items: str, *, k: int = 20, out: str | None = None) -> Path:
    """The items nearest to some items, by the cosine of their embeddings, as parquet: item, rank, similar, cosine.

    Examples:
        twofold similar runs/plays track-17,track-4
        twofold similar runs/plays tracks.txt --k 5 --out neighbours.parquet

    Args:
        run: The run folder of a method for interactions.
        items: Ids with commas, or a file of one a line.
        k: Neighbours of each item.
        out: The parquet file; similar.parquet in the run folder where not given.
    """
    given = dict(locals())
    _check_numbers(given)
    _needs_interactions(run)
    from twofold.interactions.jobs.recommend import similar as work

    return work(given)


VERBS = (pretrain, evaluate, compare, embed, recommend, similar, export, report, check, prepare, methods)

_AT_LEAST: dict[str, float] = {
    "epochs": 1, "steps": 1, "batch_size": 1, "image_size": 8, "accumulate": 1, "devices": 1, "nodes": 1, "workers": 0,
    "memory_gb": 0, "max_unreadable": 0, "knn_every": 0, "save_every": 0, "log_every": 1, "weight_decay": 0,
    "warmup_epochs": 0, "short_side": 8, "seeds": 1, "first_seed": 0,
    "core": 0, "noise": 0, "patience": 0, "eval_every": 1, "k": 1,
}  # fmt: skip
_ABOVE_ZERO = ("base_lr", "lr", "labels", "drop", "minutes")
_ONE_OF = (("epochs", "steps"), ("epochs", "minutes"), ("steps", "minutes"), ("base_lr", "lr"))


def _check_numbers(given: dict[str, Any]) -> None:
    """Refuse numbers that cannot be meant, before any work."""
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if value is None or isinstance(value, str):
            continue
        if name in _AT_LEAST and not value >= _AT_LEAST[name]:
            raise UserError(f"{option} must be at least {_AT_LEAST[name]:g}, not {value}.")
        if name in _ABOVE_ZERO and not 0 < value < float("inf"):
            raise UserError(f"{option} must be above 0, not {value}.")
        if name in ("labels", "max_unreadable") and value > 1:
            raise UserError(f"{option} is a share: at most 1, not {value}.")
    for one, other in _ONE_OF:
        if given.get(one) is not None and given.get(other) is not None:
            raise UserError(f"Give --{one.replace('_', '-')} or --{other.replace('_', '-')}, not both.")


_FOREIGN = {
    "interactions": (
        "backbone", "stem", "weights", "image_size", "views", "statistics", "colour", "base_lr", "scaling",
        "schedule", "milestones", "drop", "warmup_epochs", "accumulate", "precision", "workers", "memory_gb", "compile",
        "image_column", "label_column", "max_unreadable", "knn_every",
    ),
    "images": (
        "test", "user_column", "item_column", "weight_column", "time_column", "min_weight", "core", "split", "noise",
        "titles", "patience", "select_on", "eval_every",
    ),
}  # fmt: skip


def _own_options(given: dict[str, Any], kind: str) -> dict[str, Any]:
    """The options of `pretrain` that this kind of data has; others are refused where they are given."""
    defaults = _defaults(pretrain)
    for name in _FOREIGN[kind]:
        if given.get(name, defaults[name]) != defaults[name]:
            other = next(other for other in _FOREIGN if other != kind)
            raise UserError(f"--{name.replace('_', '-')} belongs to {other}, and {given['method']} learns from {kind}.")
    return {name: value for name, value in given.items() if name not in _FOREIGN[kind]}


def _only(given: dict[str, Any], verb: Callable[..., Any], kind: str, own: tuple[str, ...]) -> None:
    """Refuse options of a verb that mean nothing for this kind of data."""
    for name, default in _defaults(verb).items():
        if name not in own and given[name] != default:
            raise UserError(f"--{name.replace('_', '-')} means nothing for {kind}; leave it away.")


def _learned_from(model: str) -> str:
    """The kind of data that a run folder's method learned from; images where it is none."""
    file = Path(model) / "config.yaml"
    if not file.is_file():
        return "images"
    import yaml

    from twofold.catalog.composition import compose

    try:
        return compose(str(yaml.safe_load(file.read_text(encoding="utf-8"))["method"])).kind
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError):
        return "images"


def _needs_interactions(run: str) -> None:
    """Refuse a run of another kind of data."""
    if (Path(run) / "config.yaml").is_file() and (kind := _learned_from(run)) != "interactions":
        raise UserError(f"{run} has learned from {kind}; only runs on interactions recommend.")


def _defaults(verb: Callable[..., Any]) -> dict[str, Any]:
    """The values of a verb's options where nothing is said."""
    return dict(inspect.getfullargspec(verb).kwonlydefaults or {})

"""The evaluation protocols by name, each with its floors: one row of numbers a protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from twofold.errors import UserError, nearest
from twofold.evaluation.knn import five_nn, knn_accuracy
from twofold.evaluation.linear import linear_probe
from twofold.images.backbones import Backbone
from twofold.images.evaluation.features import InputSettings, Progress
from twofold.images.evaluation.finetune import FinetuneRecipe, finetune
from twofold.images.evaluation.floors import centred, pixel_features, random_network
from twofold.images.evaluation.sgd_linear import LINEAR_RECIPES, sgd_linear
from twofold.images.evaluation.splits import Split, few_labels

FEATURE_PROTOCOLS = {
    "knn": "weighted cosine kNN, k 200, T 0.1",
    "5nn": "majority of the 5 nearest in Euclidean distance",
    "linear": "linear layer on features computed once (W-MSE's protocol)",
}
PROTOCOLS = {
    **FEATURE_PROTOCOLS,
    **{f"linear-{name}": f"linear layer, new crops each epoch, {name}'s settings" for name in LINEAR_RECIPES},
    "finetune": "the whole network learns",
}
PIXEL_SIDE = 32


@dataclass(frozen=True)
class Score:
    """One number of an evaluation. value: share in 0..1. floor: what has to be beaten, not the network itself."""

    protocol: str
    metric: str
    value: float
    floor: bool
    name: str
    data: str
    settings: dict[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """As plain values, for evaluation.json."""
        return asdict(self)


class FeatureSet(NamedTuple):
    """bank (N, D) with labels (N,) to learn from, queries (n, D) with truth (n,) to test on."""

    bank: Tensor
    labels: Tensor
    queries: Tensor
    truth: Tensor


def check_protocols(names: Sequence[str]) -> None:
    """UserError for the first name that is no protocol."""
    for name in names:
        if name not in PROTOCOLS:
            raise UserError(f'There is no protocol "{name}"; known: {", ".join(PROTOCOLS)}.{nearest(name, PROTOCOLS)}')


def evaluate(
    backbone: Backbone,
    train: Split,
    test: Split,
    classes: int,
    settings: InputSettings,
    *,
    protocols: Sequence[str] = ("knn", "5nn", "linear"),
    floors: bool = True,
    share: float = 1.0,
    epochs: int | None = None,
    seed: int = 0,
    name: str = "backbone",
    data: str = "",
    progress: Callable[[str], Progress | None] | None = None,
) -> Iterator[Score]:
    """Scores as they are measured: for each protocol the backbone's, and with `floors` those of an untrained network
    of the same shape (random weights, batch statistics) and of the pixels.

    train, test: labelled images of the same classes; features of each are computed once a network and shared by the
    protocols. share: of the training labels that are used, balanced over classes, at least one a class. epochs: of
    linear-* and finetune, default the published number. backbone: on settings.device. progress(what) returns the
    callback for one long piece of work.
    """
    check_protocols(protocols)
    train = few_labels(train, share, seed) if share != 1 else train
    told = progress or (lambda what: None)
    networks: list[tuple[str, bool, Backbone]] = [(name, False, backbone)]
    if floors:
        networks.append(("random network", True, random_network(backbone, train, settings, seed)))
    how: dict[str, Any] = {"epochs": epochs, "seed": seed}
    common = {"classes": classes, "train": len(train), "test": len(test), "labels": share, "seed": seed}
    for who, floor, network in networks:
        asked = [p for p in protocols if p in FEATURE_PROTOCOLS]
        features = None
        if asked:
            device = settings.device  # exact search is a matrix product: where the network ran is where it is fast
            parts = [split.features(network, settings, told("features")) for split in (train, test)]
            features = FeatureSet(*(tensor.to(device) for part in parts for tensor in part))
        for protocol in protocols:
            if features is not None and protocol in FEATURE_PROTOCOLS:
                found = feature_scores(protocol, features, classes, seed)
            elif protocol == "finetune":
                recipe = FinetuneRecipe(epochs=60 if share < 0.1 else 30)  # SimCLR, appendix B.9
                found = finetune(network, train, test, classes, settings, recipe=recipe, **how, progress=told(protocol))
            else:
                rule = LINEAR_RECIPES[protocol.removeprefix("linear-")]
                found = sgd_linear(network, train, test, classes, settings, recipe=rule, **how, progress=told(protocol))
            for metric, value in found.items():
                yield Score(protocol, metric, value, floor, who, data, common)
    if floors and any(p in FEATURE_PROTOCOLS for p in protocols):
        yield from pixel_scores(train, test, classes, data)


def feature_scores(protocol: str, features: FeatureSet, classes: int, seed: int) -> dict[str, float]:
    """{"metric": value} of one of FEATURE_PROTOCOLS."""
    bank, labels, queries, truth = features
    if protocol == "linear":
        return linear_probe(bank, labels, queries, truth, classes, seed)
    if protocol == "5nn":
        return {"top1": float((five_nn(queries, bank, labels) == truth).double().mean())}
    return {"top1": knn_accuracy(queries, truth, bank, labels, classes=classes)}


def pixel_scores(train: Split, test: Split, classes: int, data: str = "") -> Iterator[Score]:
    """kNN on centred pixels at 32 px: with the protocol's k and T, and with k 20, T 0.07, which suits pixels."""
    (bank, labels), (queries, truth) = (pixel_features(split, PIXEL_SIDE) for split in (train, test))
    bank, queries = centred(bank, queries)
    for k, temperature in ((200, 0.1), (20, 0.07)):
        found = knn_accuracy(queries, truth, bank, labels, k=k, temperature=temperature, classes=classes)
        settings = {"k": k, "temperature": temperature, "side": PIXEL_SIDE, "train": len(train), "test": len(test)}
        yield Score("knn", "top1", found, True, f"pixels (k {k}, T {temperature:g})", data, settings)

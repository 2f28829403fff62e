"""The entries of the systems for interactions, with their recipes."""

from __future__ import annotations

from twofold.catalog.composition import Catalog, Composition, compose
from twofold.catalog.wing import Recipe, System, with_settings

_LIGHTGCN, _SGL = "twofold.interactions.methods.lightgcn:LightGCN", "twofold.interactions.methods.sgl:SGL"
_PAIRS = {"optimizer": "adam", "base_lr": 1e-3, "batch_size": 2048}
_FLOORS = "twofold.interactions.methods.floors"
_FORMULA = {"default": Recipe("pairs", {}, {}, "a formula over the pairs, without training")}
_DEFAULT = {"default": Recipe("triples", _PAIRS, {}, "official SGL and LightGCN; tables start from N(0, 0.1) here")}
_LIGHTGCN_RECIPES = {
    **_DEFAULT,
    "sparse": Recipe(
        "triples",
        {**_PAIRS, "base_lr": 5e-3},
        {"regularisation": 0.01, "sampling": "interaction"},
        "ours, chosen on the validation part of yelp-sslrec",
    ),
}
_SPARSE_SGL = {"layers": 2, "weight": 1.0, "temperature": 0.5, "ratio": 0.5, "regularisation": 0.05}
_SGL_RECIPES = {
    **_DEFAULT,
    "sparse": Recipe(
        "triples",
        {**_PAIRS, "base_lr": 3e-3},
        {**_SPARSE_SGL, "sampling": "interaction"},
        "SSLRec's layers, weight, temperature and ratio; the rest ours, chosen on the validation part of yelp-sslrec",
    ),
    "yelp2018": Recipe("triples", _PAIRS, {"init": "xavier"}, "official SGL"),
    "amazon-book": Recipe("triples", _PAIRS, {"init": "xavier", "weight": 0.5}, "official SGL"),
    "ifashion": Recipe(
        "triples",
        _PAIRS,
        {"init": "xavier", "weight": 0.02, "ratio": 0.4, "temperature": 0.5, "regularisation": 1e-3},
        "official SGL",
    ),
}

SYSTEMS = {
    "lightgcn": System(
        "LightGCN",
        "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation, SIGIR 2020, arXiv 2002.02126",
        _LIGHTGCN,
        recipes=_LIGHTGCN_RECIPES,
        summary="embeddings smoothed over the graph of users and items; triples are ranked",
        suits="a log of who used what",
        verified="official propagation, loss and gradients (golden), dense formulas, two ranks",
        measured="recommendation",
    ),
    "sgl": System(
        "SGL on LightGCN",
        "Self-supervised Graph Learning for Recommendation, SIGIR 2021, arXiv 2010.10783",
        _SGL,
        recipes=_SGL_RECIPES,
        summary="LightGCN whose nodes find themselves across two views of the graph",
        suits="a log of who used what; the long tail",
        verified="official views, terms and gradients of ED, ND, RW (golden), naive loops, two ranks, exact resume; "
        "published figures on yelp-sslrec",
        measured="recommendation: published figures reached on yelp-sslrec, not tried on Yelp2018 and similar data",
    ),
    "bpr-mf": System(
        "BPR-MF",
        "BPR: Bayesian Personalized Ranking from Implicit Feedback, UAI 2009, arXiv 1205.2618",
        _LIGHTGCN,
        recipes=with_settings(_DEFAULT, layers=0),
        summary="LightGCN without the graph: matrix factorisation",
        suits="comparison; no graph in memory",
        verified="LightGCN without layers: dense formula",
        measured="recommendation",
    ),
    "als": System(
        "ALS (iALS, WRMF), by the library implicit",
        "Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008",
        "twofold.interactions.methods.als:ALS",
        recipes={
            "default": Recipe("pairs", {}, {}, "ours, chosen on the validation part of lastfm-hetrec"),
            "paper": Recipe("pairs", {}, {"alpha": 40.0, "iterations": 10}, "Hu et al.; width and regularisation ours"),
        },
        summary="matrix factorisation by alternating least squares, every lack of a pair counted a little",
        suits="a strong embedding in seconds, without a GPU; large catalogues",
        verified="each side's least squares solved anew in float64, equal bits for any number of threads",
        measured="recommendation, by the library itself",
    ),
    "popularity": System(
        "Popularity, a floor without training",
        "the number of users of each item",
        f"{_FLOORS}:Popularity",
        recipes=_FORMULA,
        summary="the number of users of each item",
        suits="a floor; new users without any items",
        verified="its counts",
        measured="recommendation",
        page="floors",
    ),
    "graph-filter": System(
        "Graph filter, a floor without training (the linear half of GF-CF)",
        "How Powerful is Graph Convolution for Recommendation?, CIKM 2021, arXiv 2108.07567",
        f"{_FLOORS}:GraphFilter",
        recipes=_FORMULA,
        summary="items of those who share items with the user, by degree",
        suits="dense data, as a strong floor at once",
        verified="dense formula in float64",
        measured="recommendation",
        page="floors",
    ),
    "item-knn": System(
        "Item-kNN, a floor without training",
        "Item-Based Top-N Recommendation Algorithms, ACM TOIS 22(1), 2004",
        f"{_FLOORS}:ItemKNN",
        recipes=_FORMULA,
        summary="items near to the user's by cosine",
        suits="a floor that explains itself",
        verified="naive loop",
        measured="recommendation",
        page="floors",
    ),
}


def composed(method: str) -> Composition:
    """What the name of a method for interactions stands for."""
    recipes = {name: {"interactions": system.recipes} for name, system in SYSTEMS.items()}
    return compose(method, Catalog(SYSTEMS, recipes, {})).on("interactions")

"""The options of each verb for interactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twofold.catalog import options
from twofold.catalog.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Pairs(Options):
    """Options of reading interactions"""

    val: str | None = option(None, path=True)
    """The validation pairs."""
    test: str | None = option(None, path=True)
    """The test pairs, used once, at the end."""
    user_column: str | None = option(None)
    """The column of users, a name or, without a header, a number; recognised automatically."""
    item_column: str | None = option(None)
    """The column of items."""
    weight_column: str | None = option(None)
    """The column of weights (ratings, counts), for --min-weight."""
    time_column: str | None = option(None)
    """The column of times, for the splits last and time."""
    min_weight: float | None = option(None)
    """Pairs of less weight are left out."""
    core: int = option(0, least=0)
    """Keep users and items with at least so many pairs each; 0 for all."""
    split: Literal["ratio", "last", "time", "none"] = option("ratio")
    """One file in parts: a share of each user's pairs (ratio), each user's last, the latest of all (time), or none."""
    split_seed: int | None = option(None)
    """The seed of the split and of noise; the run's where not given."""
    noise: float = option(0.0, least=0)
    """Add random training pairs, a share of the true ones, to see how robust a method is."""
    select_on: Literal["valid", "test"] = option("valid")
    """The part by which the best epoch is chosen; test gives flattering, paper-style numbers."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(options.Pretrain, Pairs):
    """Options of training on interactions"""

    weights: str | None = option(None, path=True)
    """A run folder, whose tables are trained on: users and items are found by their ids, new ones start at random."""
    titles: str | None = option(None, harmless=True, path=True)
    """A CSV, TSV or parquet file of item ids and titles, for the sample recommendations of the report."""
    patience: int | None = option(None, least=0, grows=True)
    """End after so many epochs without a better one; 20 where not given, 0 for never."""
    eval_every: int | None = option(None, least=1)
    """Epochs between rankings of the validation part."""
    eval_users: int | None = option(None, least=1)
    """Rank for so many users only, drawn by the seed; for all where not given."""


@dataclass(frozen=True, kw_only=True)
class Compare(options.Compare, Pairs):
    """Options of comparing on interactions"""

    patience: int | None = option(None, least=0)
    """End a run after so many epochs without a better one; 20 where not given, 0 for never."""
    eval_every: int | None = option(None, least=1)
    """Epochs between rankings of the validation part."""
    eval_users: int | None = option(None, least=1)
    """Rank for so many users only, drawn by the seed; for all where not given."""


@dataclass(frozen=True, kw_only=True)
class Evaluate(options.Evaluate):
    """Options of ranking"""

    at: str | None = option(None)
    """Lengths K of the lists, commas between; 5,10,20,50 where not given. 20 is always among them."""
    eval_users: int | None = option(None, least=1)
    """Rank for so many users only, drawn by the seed; for all where not given."""


@dataclass(frozen=True, kw_only=True)
class Export(Options):
    """Options of exporting items"""

    format: Literal["faiss"] = option("faiss")
    """An index of the items."""
    out: str | None = option(None, path=True)
    """The file; item_index.faiss in the run folder where not given."""


@dataclass(frozen=True, kw_only=True)
class Recommend(Options):
    """Options of recommending"""

    users: str | None = option(None)
    """Ids with commas, or a file of one a line; all users where not given."""
    k: int = option(20, least=1)
    """Items for each user."""
    candidates: str | None = option(None)
    """Ids with commas, or a file of one a line: the only items that may be recommended."""
    history: str | None = option(None, path=True)
    """A file of pairs of new users, who are folded in without training; the basis of theirs is history."""
    include_seen: bool = option(False)
    """Also recommend what a user already has."""
    out: str | None = option(None, path=True)
    """The parquet file; recommendations.parquet in the run folder where not given."""
    quiet: bool = option(False)
    """Print the result only."""


@dataclass(frozen=True, kw_only=True)
class Similar(Options):
    """Options of finding similar items"""

    k: int = option(20, least=1)
    """Neighbours of each item."""
    out: str | None = option(None, path=True)
    """The parquet file; similar.parquet in the run folder where not given."""


@dataclass(frozen=True, kw_only=True)
class Load(Options):
    """Options of opening a run in Python"""

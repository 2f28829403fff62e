"""Which metrics of runs on interactions are drawn: what ranks best first, the rest folded; the best epoch is marked."""

from __future__ import annotations

from dataclasses import replace

from twofold.page.columns import LEARNING_RATE, LOSS, Column, Columns, speed
from twofold.page.words import Noun

TRIPLE = Noun("triple", "triples")

_BEST = "best_epoch"
_NEVER_RANKED = (
    "Nothing was ranked while the run went on: there was no validation part, or its first epoch never ended."
)
_RECALL = Column(
    "recall@20",
    "Recall@20",
    "Share of a user's held-out items among the first 20, 0 to 1, mean over users; diamond: the epoch kept.",
    missing=_NEVER_RANKED,
    mark=_BEST,
)
_NDCG = Column(
    "ndcg@20", "NDCG@20", "The same hits, worth more the higher they stand; 1: all of them on top.", mark=_BEST
)
_LOSS = replace(LOSS, reading="The total that is minimised, and its terms before their weights.", missing="", log=True)
_SPEED = replace(speed(TRIPLE), missing="")
_FOLDED = (
    Column("precision@20", "Precision@20", "Share of the first 20 that are held-out items, 0 to 1."),
    Column("map@20", "MAP@20", "Mean precision at the ranks of the hits, 0 to 1."),
    Column("mrr@20", "MRR@20", "One over the rank of the first hit, mean over users, 0 to 1."),
    Column("hit@20", "Hit rate@20", "Share of users with any hit among the first 20, 0 to 1."),
    replace(LEARNING_RATE, missing=""),
)
# Such a run draws its triples itself: it never waits for data.
_UNDRAWN = frozenset({_BEST, "wait_share"})


def ranking_columns(part: str) -> Columns:
    """The columns. part: the pairs that are ranked after each epoch, in words."""
    ranked = [replace(column, title=f"{column.title}, {part}") for column in (_RECALL, _NDCG)]
    return Columns([*ranked, _LOSS, _SPEED], folded=_FOLDED, undrawn=_UNDRAWN, others="folded")

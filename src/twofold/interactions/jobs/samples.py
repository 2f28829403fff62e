"""samples.json of a finished run: what a few users have, and what they are recommended, to be looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from twofold.files import write_text
from twofold.interactions.evaluation.ranking import top_items
from twofold.interactions.jobs.store import read_model
from twofold.interactions.ragged import Ragged
from twofold.randomness import generator

SAMPLES_FILE = "samples.json"
USERS, LEARNED, NEW = 8, 8, 10


def write_samples(folder: Path, seed: int, titles: Mapping[str, str] | None = None) -> None:
    """Write samples.json: of `USERS` users, drawn by seed, some of the items learned from and the best new ones.

    {"users": [{"user", "count", "learned": [{"item", "title"}], "recommended": [{"item", "title", "score"}]}]} with
    the ids of the data. count: the user's items that were learned from, of which `LEARNED` are drawn. titles: by id as
    text; an item without one goes by its id.
    """
    model, drawn = read_model(folder), generator(seed, "samples")
    learned = Ragged.of(model.pairs, len(model.user_ids))
    having = torch.nonzero(learned.count())[:, 0]
    users = having[torch.randperm(len(having), generator=drawn)[:USERS]]
    scores = model.ranker.scores(users)
    top = top_items(scores, model.seen, users, NEW)

    def named(item: int) -> dict[str, Any]:
        known = model.item_ids[item].as_py()
        return {"item": known, "title": (titles or {}).get(str(known), str(known))}

    entries = []
    for place, user in enumerate(users.tolist()):
        own = learned.items[learned.offsets[user] : learned.offsets[user + 1]]
        shown = own[torch.randperm(len(own), generator=drawn)[:LEARNED]]
        best = [item for item in top[place].tolist() if item >= 0]
        entries.append(
            {
                "user": model.user_ids[user].as_py(),
                "count": len(own),
                "learned": [named(item) for item in shown.tolist()],
                "recommended": [{**named(item), "score": round(float(scores[place, item]), 6)} for item in best],
            }
        )
    write_text(folder / SAMPLES_FILE, json.dumps({"users": entries}, indent=1, ensure_ascii=False) + "\n")

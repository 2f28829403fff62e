"""Settings of a run on interactions: what recipes decide, and what the user does."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from twofold.errors import UserError
from twofold.interactions.jobs.settle import settle
from twofold.interactions.options import Pretrain
from twofold.interactions.reading.splits import Interactions
from twofold.interactions.systems import composed


def settled(method="sgl", pairs=1000, **given):
    train = np.stack([np.arange(pairs), np.zeros(pairs, np.int64)], axis=1)
    data = Interactions(pa.array(range(pairs)), pa.array([0]), train, None, None, [])
    return settle(Pretrain(**given), composed(method), data, "plays.csv")


def test_few_pairs_have_a_higher_rate_unless_a_recipe_or_a_rate_is_named():
    assert settled().lr == 5e-3 and settled(pairs=300_000).lr == 1e-3
    assert settled(recipe="default").lr == 1e-3 and settled(lr=0.1).lr == 0.1
    sparse = composed("sgl").recipes["sparse"].plan["base_lr"]
    assert settled(recipe="sparse").lr == settled(recipe="sparse", pairs=300_000).lr == sparse


def test_auto_is_the_default_recipe_and_the_name_is_kept():
    assert settled().recipe == "default" and settled(recipe="ifashion").recipe == "ifashion"


def test_a_recipe_that_the_method_lacks_is_refused_with_those_it_has():
    with pytest.raises(UserError, match="lightgcn has no recipe ifashion; it has default, sparse"):
        settled("lightgcn", recipe="ifashion")


def test_batches_of_small_data_are_a_quarter_of_it():
    assert settled(pairs=400).batch_size == 100 and settled(pairs=10**5).batch_size == 2048

"""Which images make up which batch."""

import pytest
import torch

from twofold.errors import UserError
from twofold.training.sampler import batches, check_even_parts, order


def test_an_epoch_sees_every_image_at_most_once_and_others_sit_out_next_time():
    found = list(batches(23, 5, seed=3, first_step=0, steps=8))
    first, second = torch.cat(found[:4]), torch.cat(found[4:])
    assert len(first) == 20 and len(first.unique()) == 20 and len(second.unique()) == 20
    assert set(first.tolist()) != set(second.tolist())
    assert torch.equal(first, order(23, 3, 0)[:20])


def test_a_restart_changes_nothing():
    whole = list(batches(23, 5, 3, 0, 11))
    for start in range(11):
        rest = list(batches(23, 5, 3, start, 11))
        assert all(torch.equal(a, b) for a, b in zip(whole[start:], rest, strict=True))


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_global_batch_in_order(world):
    whole = list(batches(40, 12, 0, 0, 7))
    shares = [list(batches(40, 12, 0, 0, 7, rank, world)) for rank in range(world)]
    for step, batch in enumerate(whole):
        assert torch.equal(torch.cat([share[step] for share in shares]), batch)


def test_seeds_and_epochs_differ():
    assert not torch.equal(order(50, 0, 0), order(50, 0, 1))
    assert not torch.equal(order(50, 0, 0), order(50, 1, 0))


@pytest.mark.parametrize(
    ("batch", "world", "parts", "good"),
    [(10, 4, 1, "8 or 12"), (2, 2, 1, "4"), (6, 1, 4, "8"), (30, 4, 2, "24 or 32")],
)
def test_uneven_shares_are_refused_with_the_nearest_good_sizes(batch, world, parts, good):
    with pytest.raises(UserError, match=f"batch size of {good}\\."):
        check_even_parts(batch, world, parts)


def test_even_shares_pass():
    check_even_parts(8, 2, 2)
    check_even_parts(2, 1, 1)

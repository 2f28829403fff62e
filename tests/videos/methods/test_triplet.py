"""The triplet loss against distances written out."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from tests.methods.small import made
from tests.tiny import ClipNet
from twofold.errors import UserError
from twofold.videos.methods.triplet import Triplet


def rows(count=6, seed=0):
    return torch.randn(4, count, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def hinge(q, k, n, margin):
    near, far = (q - k + 1e-6).norm(), (q - n + 1e-6).norm()  # torch's own distance adds as much
    return max(0.0, (near - far + margin).item())


@pytest.mark.parametrize("given", [0, 1, 2])
def test_each_row_against_others_of_the_batch_or_what_is_given(given):
    method = made("triplet", network=ClipNet, margin=0.7)
    query, key, *others = rows()
    extra = torch.stack([F.normalize(n, dim=1) for n in others[:given]], 1) if given else None
    found = method.compare(None, query, key, extra)
    q, k, turned = F.normalize(query, dim=1), F.normalize(key, dim=1), range(5, -1, -1)
    for i, j in enumerate(turned):
        pool = [extra[i, s] for s in range(given)] + [extra[j, s] for s in range(given)] if given else [k[j]]
        assert_close(found[i].item(), sum(hinge(q[i], k[i], n, 0.7) for n in pool), rtol=0, atol=1e-9)


def test_settings_that_cannot_be_meant_are_refused():
    with pytest.raises(UserError, match="margin"):
        Triplet(ClipNet(), margin=0.0)

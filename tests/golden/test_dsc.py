"""The parts of DSC that have an official counterpart: the codes of Sinkhorn-Knopp (SwAV's code)."""

import re

import torch
from torch.testing import assert_close

from twofold.objectives.prototypes import sinkhorn


def test_codes(golden):
    file = golden("dense_dsc_parts")
    cases = [re.fullmatch(r"codes_eps([\d.]+)_it(\d+)", key) for key in file]
    assert any(cases)
    for case in filter(None, cases):
        codes = sinkhorn(torch.as_tensor(file["scores"]).double(), float(case[1]), int(case[2]))
        assert_close(codes.float(), torch.as_tensor(file[case[0]]), rtol=1e-4, atol=1e-5)

"""Every entry of the catalog has tiny settings, and none is left over."""

from __future__ import annotations

import pytest

from .tiny import ADDITIONS, BASES, SYSTEMS, TINY, VARIANTS, Net, make, tiny, together

PATHS = {system.base for system in SYSTEMS.values()} | set(ADDITIONS.values())


def test_the_table_has_every_class_of_the_catalog():
    for path in PATHS:
        tiny(path)
    assert TINY.keys() <= {path.partition(":")[2] for path in PATHS}
    assert VARIANTS.keys() <= {*SYSTEMS, *ADDITIONS}
    with pytest.raises(LookupError, match=r"Quark has no tiny settings: give it some in TINY, in tests/tiny\.py\."):
        tiny("physics:Quark")


def test_names_become_tiny_methods():
    method = make("moco[shuffle]+co2+unmix[cut]", Net(), momentum=0.5)
    assert (method.key_bn, method.momentum, len(method.queue.rows)) == ("shuffle", 0.5, 24)
    assert [type(addition).__name__ for addition in method.additions] == ["CO2", "UnMix"]
    assert method.additions[1].global_share == 0.0
    assert make("mixsiam[cutmix]", Net()).additions[0].mixture == "cutmix"
    assert len(make("moco-symmetric", Net()).directions) == 2 and make("wmse4", Net()).view_count == 4


def test_what_goes_over_a_base_is_asked_of_the_additions():
    assert together("moco").startswith("moco+mochi+co2+tkc+unmix")
    quiet = together("byol", running_networks=False).split("+")
    assert quiet[:2] == ["byol", "tkc"] and not {"mixsiam", "mochi", "co2", "unmix"} & set(quiet)
    assert all(together(base).startswith(base) for base in BASES)

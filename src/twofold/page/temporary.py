import re
from types import SimpleNamespace

from twofold.interactions.systems import SYSTEMS as I
from twofold.methods.systems import SYSTEMS as M


class _K:
    def __init__(self, s, kind):
        self.recipes, self.kind, self.reconstruction = (
            s.recipes or {"x": SimpleNamespace(plan={"a": 1})},
            kind,
            s.reconstruction,
        )


SYSTEMS = {**{k: _K(v, "images") for k, v in M.items()}, **{k: _K(v, "interactions") for k, v in I.items()}}


def trained(recipes):
    return any(r.plan for r in recipes.values())


def reconstructed(name):
    return " (a reconstruction)" * any(p in SYSTEMS and SYSTEMS[p].reconstruction for p in re.split(r"[+\[]", name))

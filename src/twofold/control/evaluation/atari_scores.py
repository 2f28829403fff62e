"""Reference scores of the 26 games of the Atari 100k benchmark, and scores between chance and a human."""

from __future__ import annotations

import re
from typing import NamedTuple


class Reference(NamedTuple):
    """Scores of random play and of a human, and of data-efficient Rainbow after 100,000 decisions, as SPR's evaluation
    code has them."""

    random: float
    human: float
    efficient: float


SCORES = {
    "Alien": Reference(227.8, 7127.7, 739.9),
    "Amidar": Reference(5.8, 1719.5, 188.6),
    "Assault": Reference(222.4, 742.0, 431.2),
    "Asterix": Reference(210.0, 8503.3, 470.8),
    "BankHeist": Reference(14.2, 753.1, 51.0),
    "BattleZone": Reference(2360.0, 37187.5, 10124.6),
    "Boxing": Reference(0.1, 12.1, 0.2),
    "Breakout": Reference(1.7, 30.5, 1.9),
    "ChopperCommand": Reference(811.0, 7387.8, 861.8),
    "CrazyClimber": Reference(10780.5, 35829.4, 16185.3),
    "DemonAttack": Reference(152.1, 1971.0, 508.0),
    "Freeway": Reference(0.0, 29.6, 27.9),
    "Frostbite": Reference(65.2, 4334.7, 866.8),
    "Gopher": Reference(257.6, 2412.5, 349.5),
    "Hero": Reference(1027.0, 30826.4, 6857.0),
    "Jamesbond": Reference(29.0, 302.8, 301.6),
    "Kangaroo": Reference(52.0, 3035.0, 779.3),
    "Krull": Reference(1598.0, 2665.5, 2851.5),
    "KungFuMaster": Reference(258.5, 22736.3, 14346.1),
    "MsPacman": Reference(307.3, 6951.6, 1204.1),
    "Pong": Reference(-20.7, 14.6, -19.3),
    "PrivateEye": Reference(24.9, 69571.3, 97.8),
    "Qbert": Reference(163.9, 13455.0, 1152.9),
    "RoadRunner": Reference(11.5, 7845.0, 9600.0),
    "Seaquest": Reference(68.4, 42054.7, 354.1),
    "UpNDown": Reference(533.4, 11693.2, 2877.4),
}


PLAIN = {game.lower(): game for game in SCORES}
IDS = re.compile(r"ALE/(\w+)-v\d+|(\w+?)(?:NoFrameskip|Deterministic)-v\d+")


def game_of(name: str) -> str:
    """The game of an id, ALE/BankHeist-v5 or BankHeistNoFrameskip-v4, or of a name in a table, bank_heist; "" where it
    is not one of the 26. Other ids with the name of a game (MinAtar/Breakout-v1, Breakout-v0) are other games."""
    found = IDS.fullmatch(name)
    game = (found[1] or found[2]) if found else PLAIN.get(name.replace("_", ""), "")
    return game if game in SCORES else ""


def human_normalised(game: str, score: float) -> float | None:
    """(score - random) / (human - random) of a game, by its id or name; None where no reference is known."""
    found = SCORES.get(game_of(game))
    return None if found is None else (score - found.random) / (found.human - found.random)

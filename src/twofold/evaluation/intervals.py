"""Means over seeds with their 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

# 97.5 % points of Student's t for 1 to 30 degrees of freedom, then that of the normal distribution.
_T = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip
_NORMAL = 1.9600


def t_point(freedom: int) -> float:
    """The 97.5 % point of Student's t with `freedom` (>= 1) degrees of freedom; beyond 30 the normal's, 4 % less at
    most."""
    return _T[freedom - 1] if freedom <= len(_T) else _NORMAL


def mean_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """(mean, half the width of the 95 % t-interval of the mean) of at least one value; (mean, None) of a single one."""
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return mean, None
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    return mean, t_point(count - 1) * deviation / math.sqrt(count)

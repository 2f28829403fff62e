"""twofold: learn representations without labels. Two views, one representation."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

__version__ = "0.1.0"
# In the order in which a user comes to them.
__all__ = [  # noqa: RUF022
    "__version__", "pretrain", "evaluate", "compare", "embed", "recommend", "similar", "export", "report", "check",
    "prepare", "open_run", "load", "list_methods", "describe",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        from twofold import api

        return getattr(api, name)
    if not name.startswith("_") and importlib.util.find_spec(f"twofold.{name}"):
        return importlib.import_module(f"twofold.{name}")
    raise AttributeError(f"module 'twofold' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "images", "videos", "interactions", "control"]

"""What interactions need of the machine, for `twofold doctor`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twofold.catalog.trials import Trial, try_out, version_of


def trials() -> Iterator[Trial]:
    """An index of nearest items."""
    yield try_out("interactions: export to faiss", "faiss-cpu", 'pip install "twofold[ann]"', _index)


def _index() -> str:
    import faiss

    index = faiss.IndexFlatIP(4)
    index.add(np.eye(4, dtype=np.float32))
    index.search(np.eye(4, dtype=np.float32), 1)
    return f"faiss {version_of('faiss-cpu')}"

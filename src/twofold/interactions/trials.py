"""What interactions need of the machine, for `twofold doctor`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twofold.catalog.trials import Trial, try_out, version_of


def trials() -> Iterator[Trial]:
    """An index of nearest items, and least squares."""
    yield try_out("interactions: export to faiss", "faiss-cpu", 'pip install "twofold[ann]"', _index)
    yield try_out("interactions: als", "implicit", 'pip install "twofold[implicit]"', _als)


def _index() -> str:
    import faiss

    index = faiss.IndexFlatIP(4)
    index.add(np.eye(4, dtype=np.float32))
    index.search(np.eye(4, dtype=np.float32), 1)
    return f"faiss {version_of('faiss-cpu')}"


def _als() -> str:
    import implicit.cpu.als
    from scipy.sparse import eye

    implicit.cpu.als.AlternatingLeastSquares(factors=2, num_threads=1).fit(eye(3, format="csr"), show_progress=False)
    return f"implicit {version_of('implicit')}"

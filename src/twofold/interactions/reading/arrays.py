"""Interactions in .npz files: sparse matrices as SciPy saves them (COO, CSR, CSC), or arrays of users and items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from twofold.bounded import ArrayFile
from twofold.errors import UserError, clause
from twofold.interactions.reading.columns import Chosen, choose, passed_over
from twofold.interactions.reading.ids import encode
from twofold.interactions.reading.numbers import times, weights
from twofold.interactions.reading.raw import Named, Raw, refuse_named


def read_npz(path: str, named: Named) -> Raw:
    """The pairs of an .npz file, read without unpickling anything.

    Of a sparse matrix the rows are users, the columns items, the values weights; stored zeros are no interactions.
    Arrays are chosen by their names as columns are.
    """
    with _opened(path) as arrays:
        return _read(path, arrays, named)


def _read(path: str, arrays: ArrayFile, named: Named) -> Raw:
    headers = arrays.headers
    if _is_sparse(arrays):
        if named.user is not None or named.item is not None:
            refuse_named(path, Named(named.user, named.item))
        return _sparse(path, arrays)
    names = _columns_in(arrays)
    if len(names) < 2:
        found = ", ".join(f"{n} {header}" for n, header in headers.items()) or "nothing readable"
        listed = ", ".join(arrays.objects)
        pickled = f" (and pickled objects, which are never read: {listed})" if listed else ""
        raise UserError(f"{path} holds no sparse matrix and no arrays of users and items but {found}{pickled}.")
    chosen = choose(path, names, len(names), named, lambda n: _counts_rows(arrays.read(names[n])))
    return _columns(path, arrays, names, chosen)


def npz_names(path: str) -> list[str] | None:
    """The names of the arrays that may be columns, None for a sparse matrix."""
    with _opened(path) as arrays:
        return None if _is_sparse(arrays) else _columns_in(arrays)


def _is_sparse(arrays: ArrayFile) -> bool:
    return "format" in arrays.headers and "shape" in arrays.headers


def _columns_in(arrays: ArrayFile) -> list[str]:
    return [name for name, header in arrays.headers.items() if len(header.shape) == 1]


def _counts_rows(values: np.ndarray) -> bool:
    return len(np.unique(values)) == len(values)


def _columns(path: str, arrays: ArrayFile, names: list[str], chosen: Chosen) -> Raw:
    lengths = {names[n]: arrays.headers[names[n]].shape[0] for n in chosen.all()}
    if len(set(lengths.values())) > 1:
        raise UserError(f"{path}: the arrays differ in length ({', '.join(f'{n} {k:,}' for n, k in lengths.items())}).")

    def column(number: int) -> tuple[pa.Array, str]:
        name = names[number]
        try:
            return pa.array(arrays.read(name)), f"{path}: array {name}"
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise UserError(
                f"{path}: array {name} holds {arrays.headers[name].dtype}, which cannot be read."
            ) from error

    weight = None if chosen.weight is None else weights(*column(chosen.weight))
    time = None if chosen.time is None else times(*column(chosen.time))
    users, items = encode(*column(chosen.user)), encode(*column(chosen.item))
    taken = f"users in array {names[chosen.user]}, items in array {names[chosen.item]}"
    taken += f", weights in array {names[chosen.weight]}" if chosen.weight is not None else ""
    taken += f", times in array {names[chosen.time]}" if chosen.time is not None else ""
    return Raw(users, items, weight, time, taken + passed_over(chosen, names))


@contextmanager
def _opened(path: str) -> Iterator[ArrayFile]:
    """The arrays of the file. What goes wrong with them is the file's fault."""
    try:
        with open(path, "rb") as file:
            yield ArrayFile(file)
    except UserError:
        raise
    except Exception as error:  # zip files and numpy's headers can be wrong in many ways
        raise UserError(f"{path} is not a whole .npz file ({clause(error)}).") from error


def _sparse(path: str, arrays: ArrayFile) -> Raw:
    kind = arrays.read("format").item()
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    needed = {"coo": ("row", "col"), "csr": ("indices", "indptr"), "csc": ("indices", "indptr")}
    if kind not in needed:
        raise UserError(f"{path} is a sparse matrix of the format {kind}; save it as coo or csr.")
    if lacking := [n for n in (*needed[kind], "data") if n not in arrays.headers]:
        raise UserError(f"{path} is no whole sparse matrix: it lacks the array {lacking[0]}.")
    one, other, data = (arrays.read(name) for name in (*needed[kind], "data"))
    shape = arrays.read("shape").reshape(-1).tolist()
    flat = all(a.ndim == 1 for a in (one, other, data)) and len(shape) == 2
    if not flat or not all(a.dtype.kind in "iu" for a in (one, other)) or data.dtype.kind not in "iufb":
        raise UserError(f"{path} is no sparse matrix of numbers with two dimensions.")
    if kind == "coo":
        rows, columns = one, other
    else:
        lengths = np.diff(other)
        major = shape[0] if kind == "csr" else shape[1]
        if len(lengths) != major or (lengths < 0).any() or int(other[0]) or int(other[-1]) != len(one):
            raise UserError(f"{path} is no whole sparse matrix: indptr does not fit the {len(one):,} entries.")
        rows = np.repeat(np.arange(len(lengths)), lengths)
        rows, columns = (rows, one) if kind == "csr" else (one, rows)
    if not len(rows) == len(columns) == len(data):
        raise UserError(f"{path} is no whole sparse matrix: its arrays differ in length.")
    for index, size in ((rows, shape[0]), (columns, shape[1])):
        if len(index) and (index.min() < 0 or index.max() >= size):
            raise UserError(f"{path} is no whole sparse matrix: an index is outside its shape {shape}.")
    stored = data != 0
    zeros = int(len(data) - stored.sum())
    where = f"{path}: the matrix"
    return Raw(
        encode(pa.array(rows[stored].astype(np.int64)), where),
        encode(pa.array(columns[stored].astype(np.int64)), where),
        data[stored].astype(np.float64),
        None,
        "users are the rows of a sparse matrix, items its columns, weights its values",
        {"stored zeros": zeros} if zeros else {},
    )

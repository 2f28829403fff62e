"""Interactions in .npz files: sparse matrices as SciPy saves them (COO, CSR, CSC), or arrays of users and items."""

from __future__ import annotations

import zipfile

import numpy as np
import pyarrow as pa

from twofold.errors import UserError, clause
from twofold.interactions.reading.columns import Chosen, choose, passed_over
from twofold.interactions.reading.ids import encode
from twofold.interactions.reading.numbers import times, weights
from twofold.interactions.reading.raw import Named, Raw, refuse_named

_LARGE, _DENSE = 2**30, 200  # more bytes than this, unpacked from a file so many times smaller, are no interactions


def read_npz(path: str, named: Named) -> Raw:
    """The pairs of an .npz file, read without unpickling anything.

    Of a sparse matrix the rows are users, the columns items, the values weights; stored zeros are no interactions.
    Arrays are chosen by their names as columns are.
    """
    arrays, objects = _load(path)
    if "format" in arrays and "shape" in arrays:
        if named.user is not None or named.item is not None:
            refuse_named(path, Named(named.user, named.item))
        return _sparse(path, arrays)
    names = [n for n, a in arrays.items() if a.ndim == 1]
    if len(names) < 2:
        found = ", ".join(f"{n} {a.dtype}{list(a.shape)}" for n, a in arrays.items()) or "nothing readable"
        pickled = f" (and pickled objects, which are never read: {', '.join(objects)})" if objects else ""
        raise UserError(f"{path} holds no sparse matrix and no arrays of users and items but {found}{pickled}.")
    chosen = choose(path, names, len(names), named, lambda n: len(np.unique(arrays[names[n]])) == len(arrays[names[n]]))
    return _columns(path, arrays, names, chosen)


def npz_names(path: str) -> list[str] | None:
    """The names of the arrays that may be columns, None for a sparse matrix."""
    arrays = _load(path)[0]
    return None if "format" in arrays and "shape" in arrays else [n for n, a in arrays.items() if a.ndim == 1]


def _columns(path: str, arrays: dict[str, np.ndarray], names: list[str], chosen: Chosen) -> Raw:
    lengths = {names[n]: len(arrays[names[n]]) for n in chosen.all()}
    if len(set(lengths.values())) > 1:
        raise UserError(f"{path}: the arrays differ in length ({', '.join(f'{n} {k:,}' for n, k in lengths.items())}).")

    def column(number: int) -> tuple[pa.Array, str]:
        name = names[number]
        try:
            return pa.array(arrays[name]), f"{path}: array {name}"
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise UserError(f"{path}: array {name} holds {arrays[name].dtype}, which cannot be read.") from error

    weight = None if chosen.weight is None else weights(*column(chosen.weight))
    time = None if chosen.time is None else times(*column(chosen.time))
    users, items = encode(*column(chosen.user)), encode(*column(chosen.item))
    taken = f"users in array {names[chosen.user]}, items in array {names[chosen.item]}"
    taken += f", weights in array {names[chosen.weight]}" if chosen.weight is not None else ""
    taken += f", times in array {names[chosen.time]}" if chosen.time is not None else ""
    return Raw(users, items, weight, time, taken + passed_over(chosen, names))


def _load(path: str) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays by name, and the names of those that would need unpickling."""
    arrays, objects = {}, []
    try:
        with zipfile.ZipFile(path) as members:
            size, packed = (
                sum(m.file_size for m in members.infolist()),
                sum(m.compress_size for m in members.infolist()),
            )
        if size > _LARGE and size > _DENSE * packed:
            raise UserError(f"{path} unpacks {packed:,} bytes to {size:,}, which no interactions do: write it again.")
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                try:
                    arrays[name] = file[name]
                except ValueError as error:
                    if "pickle" not in str(error).lower():
                        raise
                    objects.append(name)
    except UserError:
        raise
    except Exception as error:  # zip files and numpy's headers can be wrong in many ways, a lack of memory among them
        raise UserError(f"{path} is not a whole .npz file ({clause(error)}).") from error
    return arrays, objects


def _sparse(path: str, arrays: dict[str, np.ndarray]) -> Raw:
    kind = arrays["format"].item()
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    needed = {"coo": ("row", "col"), "csr": ("indices", "indptr"), "csc": ("indices", "indptr")}
    if kind not in needed:
        raise UserError(f"{path} is a sparse matrix of the format {kind}; save it as coo or csr.")
    if lacking := [n for n in (*needed[kind], "data") if n not in arrays]:
        raise UserError(f"{path} is no whole sparse matrix: it lacks the array {lacking[0]}.")
    one, other, data = arrays[needed[kind][0]], arrays[needed[kind][1]], arrays["data"]
    shape = arrays["shape"].reshape(-1).tolist()
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

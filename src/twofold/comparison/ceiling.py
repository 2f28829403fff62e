"""A ceiling whose numbers are kept in the folder of the comparison, a file for each seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.files import write_json
from twofold.runs.schema import fits, read_json


class KeptCeiling:
    """`bench.Ceiling` of a network that is trained with labels; a subclass trains and measures it."""

    name = "supervised"
    folder: Path

    def train(self, seed: int, epochs: int) -> dict[str, Any]:
        """Its numbers, by column, or by metric for every column of it; and what they were measured on."""
        raise NotImplementedError

    def file(self, seed: int) -> Path:
        """Where the result for a seed is kept."""
        return self.folder / f"supervised-seed{seed}.json"

    def done(self, seed: int) -> bool:
        """See `bench.Ceiling`."""
        return self.file(seed).exists()

    def do(self, seed: int, epochs: int) -> None:
        """See `bench.Ceiling`."""
        write_json(self.file(seed), {**self.train(seed, epochs), "seed": seed, "epochs": epochs})

    def values(self, seed: int, keys: Sequence[str]) -> dict[str, float]:
        """See `bench.Ceiling`."""
        result = self._read(seed)
        found = {key: result.get(key, result.get(key.split()[-1])) for key in keys}
        return {key: float(value) for key, value in found.items() if value is not None and fits(value, float)}

    def _read(self, seed: int) -> dict[str, Any]:
        try:
            found = read_json(self.file(seed)) if self.file(seed).exists() else {}
        except UserError:  # it is measured again
            return {}
        return found if isinstance(found, dict) else {}

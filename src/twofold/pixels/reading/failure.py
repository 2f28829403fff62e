"""What a file that cannot be read raises."""

from __future__ import annotations


class DecodeError(Exception):
    """A picture or a video that cannot be read; `reason` is a short clause, without the file's name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

"""Files to samples: sources, decoding, the in-memory set, preparation, and a look at the data before a run."""

from twofold.images.reading.decode import decode
from twofold.images.reading.examining import examine
from twofold.images.reading.findings import Findings
from twofold.images.reading.images import Images
from twofold.images.reading.opening import open_source
from twofold.images.reading.preparing import prepare
from twofold.images.reading.source import Source
from twofold.pixels.reading.failure import DecodeError

__all__ = ["DecodeError", "Findings", "Images", "Source", "decode", "examine", "open_source", "prepare"]

"""Makes turned.mp4 and mirrored.mp4: odd.mp4 with a display matrix in its track header, as phones write it."""

import struct
from pathlib import Path

HERE, ONE = Path(__file__).parent, 65536
MATRICES = {"turned": (0, ONE, -ONE, 0), "mirrored": (-ONE, 0, 0, ONE)}

if __name__ == "__main__":
    film = bytearray((HERE / "odd.mp4").read_bytes())
    at = film.index(b"tkhd") + 44  # behind version, times, ids, layer, group and volume
    assert struct.unpack(">9i", film[at : at + 36]) == (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
    for name, (a, b, c, d) in MATRICES.items():
        film[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        (HERE / f"{name}.mp4").write_bytes(film)

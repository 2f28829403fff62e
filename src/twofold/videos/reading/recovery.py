"""Whether decoding may start at a packet of H.264 that is marked as a keyframe."""

from __future__ import annotations

IDR, SEI, RECOVERY_POINT = 5, 6, 6
READ = 1 << 14  # bytes of a packet that are looked at; what is looked for stands at its start


def starts_whole(packet: bytes, extradata: bytes | None) -> bool:
    """Whether every picture from this one on is exact when decoding starts here (H.264, annex D.2.8).

    True of an IDR picture and of a recovery point that takes no further frames; with intra refresh, pictures are built
    up over many frames, and a stream may have one real keyframe in all. True also where nothing is said.
    """
    for unit in _units(packet[:READ], extradata):
        kind = unit[0] & 31 if unit else 0
        if kind == IDR:
            return True
        if kind == SEI and (count := _recovery_frames(unit)) is not None:
            return count == 0
    return True


def _units(packet: bytes, extradata: bytes | None) -> list[bytes]:
    """The NAL units, after start codes (Annex B) or lengths (AVCC, by the extradata's fifth byte)."""
    if packet[:3] == b"\0\0\1" or packet[:4] == b"\0\0\0\1":
        return [part.rstrip(b"\0") for part in packet.split(b"\0\0\1")[1:]]
    size = (extradata[4] & 3) + 1 if extradata and len(extradata) > 4 and extradata[0] == 1 else 4
    units, at = [], 0
    while at + size < len(packet):
        length = int.from_bytes(packet[at : at + size], "big")
        units.append(packet[at + size : at + size + length])
        at += size + length
    return units


def _recovery_frames(unit: bytes) -> int | None:
    """recovery_frame_cnt of a recovery point among the messages of an SEI unit, or None."""
    data, at = unit[1:].replace(b"\0\0\3", b"\0\0"), 0
    while at + 2 <= len(data):
        kind, at = _number(data, at)
        size, at = _number(data, at)
        if kind == RECOVERY_POINT:
            return _exp_golomb(data[at : at + max(size, 1)])
        at += size
    return None


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number coded as bytes of 255 and a last one, and where the next begins."""
    value = 0
    while at < len(data) and data[at] == 255:
        value, at = value + 255, at + 1
    return (value + data[at], at + 1) if at < len(data) else (value, at)


def _exp_golomb(data: bytes) -> int:
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "1", 2) - 1

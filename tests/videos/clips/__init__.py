"""Small videos of every troublesome kind, made by make.sh and turn.py."""

from pathlib import Path

HERE = Path(__file__).parent


def clip(name: str) -> str:
    """The path of one of them."""
    return str(HERE / name)

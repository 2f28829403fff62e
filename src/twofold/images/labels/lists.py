"""Lists of classes: what the user types, or the files that tools write beside masks and boxes."""

from __future__ import annotations

import csv
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from twofold.errors import UserError, clause
from twofold.images.labels.tree import read_text

FILES = (
    "labelmap.txt", "label_map.txt", "class_dict.csv", "_classes.csv", "label_colors.txt", "classes.txt", "labels.txt",
    "obj.names", "predefined_classes.txt", "classes.names",
)  # fmt: skip
BY_VALUE = re.compile(r"^\s*(-?\d{1,10})\s*[\t=:, ]\s*(\S.*?)\s*$")
BY_COLOUR = re.compile(r"^\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\S.*?)\s*$")
COLOUR_BEHIND = re.compile(r"^\s*(.+?)\s*[:,;=\t]\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*(?::.*)?$")
MOST = 10_000  # classes
MOST_YAML = 2**20  # bytes, for YAML is read slowly

Colour = int  # 0xRRGGBB


@dataclass(frozen=True)
class ClassList:
    """Class names, and where the list says so the value or the colour in a mask that stands for each."""

    where: str
    names: tuple[str, ...]
    values: tuple[int, ...] | None = None
    colours: tuple[Colour, ...] | None = None


def class_list(given: str | None, folders: list[Path]) -> ClassList | None:
    """The list that the user gives, as a file or as names with commas, or one that lies in the folders."""
    if given:
        if os.path.isfile(given):
            return read_list(Path(given))
        if re.search(r"\.(txt|csv|json|ya?ml|names)$", given) and "," not in given:
            raise UserError(f"{given} does not exist: give --classes a file, or names with commas between.")
        return parse_lines("--classes", [part for part in given.split(",") if part.strip()])
    for folder in dict.fromkeys(folders):
        for name in FILES:
            if (folder / name).is_file():
                return read_list(folder / name)
    return None


def read_list(file: Path) -> ClassList:
    """A file of classes in any of the known forms. Raises UserError."""
    text, _ = read_text(file)
    if file.suffix.lower() == ".json":
        try:
            return of_value(str(file), json.loads(text))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{file} is no JSON ({clause(error)[:120]}): write it again.") from error
    if file.suffix.lower() in (".yaml", ".yml"):
        return of_value(str(file), read_yaml(file).get("names"))
    lines = text.splitlines()
    return parse_table(str(file), lines) if file.suffix.lower() == ".csv" else parse_lines(str(file), lines)


def read_yaml(file: Path) -> dict[str, Any]:
    """A YAML file of names and values; tags, which could make objects, are refused. Raises UserError."""
    text, _ = read_text(file, MOST_YAML)
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{file} is no YAML that can be read ({clause(error)[:120]}): write it again.") from error
    if not isinstance(value, dict):
        raise UserError(f"{file} holds no names and values at its top: give a data.yaml with names.")
    return value


def of_value(where: str, value: Any) -> ClassList:
    """names as a list, or as a dict of numbers to names or of names to numbers or colours."""
    if isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
        return checked(where, [str(v) for v in value])
    if isinstance(value, dict) and value:
        plain = all(isinstance(v, str | int | float) for v in value.values())
        if plain and all(_whole(key) is not None for key in value):
            pairs = sorted((_whole(key) or 0, str(v)) for key, v in value.items())
        elif all(_whole(v) is not None for v in value.values()):
            pairs = sorted((_whole(v) or 0, str(key)) for key, v in value.items())
        elif all(isinstance(v, list) and len(v) == 3 for v in value.values()):
            packed = [pack(where, str(key), v) for key, v in value.items()]
            return checked(where, [str(key) for key in value], colours=packed)
        else:
            raise UserError(f"{where}: names is neither a list of names nor numbers with names: write it as one.")
        values = [number for number, _ in pairs]
        return checked(where, [name for _, name in pairs], values=None if values == list(range(len(pairs))) else values)
    raise UserError(f"{where}: names is a {type(value).__name__}: give a list of names, or numbers with names.")


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,10}", value.strip()):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def parse_lines(where: str, lines: list[str]) -> ClassList:
    """Lines of `name`, `value name`, `name:r,g,b` or `r g b name`; all in one form."""
    kept = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not kept:
        raise UserError(f"{where} names no classes: give one a line.")
    for pattern, name_at in ((BY_COLOUR, 4), (COLOUR_BEHIND, 1)):
        found = [pattern.match(line) for line in kept]
        if all(found):
            rgb = [m.groups()[:3] if name_at == 4 else m.groups()[1:4] for m in found if m]
            names = [m[name_at] for m in found if m]
            colours = [pack(where, name, [int(c) for c in one]) for name, one in zip(names, rgb, strict=True)]
            return checked(where, names, colours=colours)
    by_value = [BY_VALUE.match(line) for line in kept]
    if all(by_value):
        return checked(where, [m[2] for m in by_value if m], values=[int(m[1]) for m in by_value if m])
    back = [re.match(r"^\s*(\S.*?)\s*[=:]\s*(-?\d{1,10})\s*$", line) for line in kept]
    if all(back):
        return checked(where, [m[1] for m in back if m], values=[int(m[2]) for m in back if m])
    return checked(where, kept)


def parse_table(where: str, lines: list[str]) -> ClassList:
    """A CSV file whose heading names a class column and either r, g, b or a value."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if any(cell.strip() for cell in row)]
    heads = [cell.lower() for cell in rows[0]] if rows else []

    def column(*names: str) -> int | None:
        return next((k for k, head in enumerate(heads) if head in names), None)

    name = column("name", "class", "label", "class_name", "classname", "label_name", "category")
    rgb = [column(*names) for names in (("r", "red"), ("g", "green"), ("b", "blue"))]
    value = column("pixel value", "value", "id", "index", "pixel_value", "class_id", "label_id", "number")
    if name is None:
        return parse_lines(where, lines)
    rows = [row for row in rows[1:] if len(row) == len(heads)]
    names = [row[name] for row in rows]
    try:
        if None not in rgb:
            return checked(where, names, colours=[pack(where, r[name], [int(r[k or 0]) for k in rgb]) for r in rows])
        return checked(where, names, values=None if value is None else [int(row[value]) for row in rows])
    except ValueError as error:
        raise UserError(f"{where} has colours or values that are no numbers ({clause(error)}): mend them.") from error


def pack(where: str, name: str, rgb: Any) -> Colour:
    """Three numbers of 0 to 255 as one."""
    if not all(isinstance(c, int) and not isinstance(c, bool) and 0 <= c <= 255 for c in rgb):
        raise UserError(f"{where}: the colour of {name} is {list(rgb)!r:.60}: give three numbers of 0 to 255.")
    red, green, blue = rgb
    return red << 16 | green << 8 | blue


def colour_text(colour: Colour) -> str:
    """ "128,0,64"."""
    return f"{colour >> 16},{colour >> 8 & 255},{colour & 255}"


def checked(
    where: str, names: list[str], *, values: list[int] | None = None, colours: list[Colour] | None = None
) -> ClassList:
    """The list, refused where it is empty or too long, or one value or colour stands for two classes."""
    if not 0 < len(names) <= MOST:
        raise UserError(f"{where} names {len(names):,} classes: give at least 1 and at most {MOST:,}.")
    codes = values if values is not None else colours
    if codes is not None and len(set(codes)) < len(codes):
        twice = next(code for k, code in enumerate(codes) if code in codes[:k])
        both = " and ".join(name for name, code in zip(names, codes, strict=True) if code == twice)
        shown = colour_text(twice) if colours is not None else twice
        raise UserError(f"{where}: {both} have one value, {shown}: give each its own.")
    if codes is None and len(set(names)) < len(names):
        twice_name = next(name for k, name in enumerate(names) if name in names[:k])
        raise UserError(f'{where} names the class "{twice_name}" twice: give each its own name.')
    return ClassList(where, tuple(names), *(tuple(c) if c is not None else None for c in (values, colours)))

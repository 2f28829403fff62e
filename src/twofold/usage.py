"""Help in words: what there is, each command with its options in groups, and what a method of one kind adds."""

from __future__ import annotations

import re
import textwrap
import typing
from collections.abc import Iterable
from typing import Any

from twofold import wings
from twofold.catalog.options import Options
from twofold.catalog.settings import BY_NAME, Setting, is_union
from twofold.catalog.wing import Wing
from twofold.commands import COMMANDS, Command
from twofold.errors import UserError

WIDTH, COLUMN = 110, 26
ON_EVERY_COMMAND = (
    ("--config FILE", "A YAML file of these options, as a run folder has it; what is typed goes over it."),
    ("--help", "Show this."),
)
EXAMPLES = (
    "twofold check photos/",
    "twofold pretrain moco photos/ --out runs/photos",
    "twofold evaluate runs/photos train/ --test test/",
    "twofold embed runs/photos photos/",
    "twofold export runs/photos",
    "twofold pretrain --help",
)


def overview() -> str:
    """The commands, a line each."""
    lines = ["usage: twofold COMMAND ... [--help]", "", "Learn representations without labels.", "", "commands:"]
    meanings = {name: command.about[0].splitlines()[0] for name, command in COMMANDS.items()}
    meanings["completion"] = "Lines for the shell that complete commands, options and methods."
    for name, meaning in meanings.items():
        lines += textwrap.wrap(f"  {name:10} {meaning}", WIDTH, subsequent_indent=" " * 13)
    return "\n".join([*lines, "", "examples:", *(f"  {line}" for line in EXAMPLES)])


def of(command: Command, method: str | None = None) -> str:
    """A command with its options; where a method is named, those of its kind of data and the method's settings."""
    words = " ".join(name.upper() if name in command.required else f"[{name.upper()}]" for name in command.subjects)
    many = " ..." if command.takes_many else ""
    options = " [options]" if command.options else ""
    lines = [f"usage: twofold {command.name} {words}{many}{options}", "", *_paragraphs(command.about), ""]
    lines += [line for name in command.subjects for line in _entry(name.upper(), command.meanings.get(name, ""))]
    able = [wing for wing in wings.WINGS if command.name in wing.verbs]
    if not command.about_methods:
        lines += _all_groups(command, able)
    elif method is None:
        lines += _shared(command, able)
    else:
        lines += _for_methods(command, method)
    lines += ["", "for every command:", *(line for name, text in ON_EVERY_COMMAND for line in _entry(name, text))]
    return "\n".join([*lines, "", "examples:", *(f"  {line}" for line in command.examples)])


def _shared(command: Command, able: list[Wing]) -> list[str]:
    """What the options of all kinds have in common, and where those of each kind are shown."""
    common = [cls for cls in able[0].verbs[command.name].options.groups() if _is_common(cls, command, able)]
    lines = _own(command)
    for cls in common:
        lines += _group(_title(cls), _declared(cls, able[0].verbs[command.name].options))
    for wing in able:
        names = [name for name, kinds in wings.catalog().recipes.items() if wing.kind in kinds]
        named = wing.usual if command.named_by_subject else f"--method {wing.usual}"
        shown = f"twofold {command.name} {named} --help"
        lines += ["", f"for {wing.kind} ({shown} shows further options):"]
        lines += textwrap.wrap(", ".join(names), WIDTH, initial_indent="  ", subsequent_indent="  ")
    return lines


def _for_methods(command: Command, names: str) -> list[str]:
    """The options for the kinds of data that methods learn from, and the settings of their parts."""
    methods = [wings.composed(name.strip()) for name in re.sub(r"\[[^\]]*\]?", "", names).split(",")]
    kinds = [kind for kind in methods[0].kinds if all(kind in method.kinds for method in methods)]
    able = [wing for wing in map(wings.of_kind, kinds) if command.name in wing.verbs]
    if not able:
        known = " and ".join(wing.kind for wing in wings.WINGS if command.name in wing.verbs)
        learns = f"{methods[0].name} learns from {' and '.join(methods[0].kinds)}"
        raise UserError(f"{command.name} is for {known}, and {learns}.")
    lines = _all_groups(command, able)
    for part, settings in {part: s for method in methods for part, s in method.settings().items() if s}.items():
        lines += ["", *textwrap.wrap(f"settings of {part}, such as {_example(command, part, settings[0])}:", WIDTH)]
        lines += [line for s in settings for line in _entry(f"{s.name} {_values_of(s)}", _with_default(s))]
    for method in methods:
        recipes = [f"{', '.join(method.offered[wing.kind])} for {wing.kind}" for wing in able]
        shown = f"recipes of {method.name}: {', '.join(recipes)}; `twofold methods {method.name}` shows them."
        lines += ["", *textwrap.wrap(shown, WIDTH)]
    return lines


def _example(command: Command, part: str, setting: Setting) -> str:
    """How a setting is given."""
    value = _values_of(setting).split("|")[0]
    if "method_options" not in command.options:
        return f"{part}[{setting.name}={value}]"
    return f"--method.{setting.name} {value} or --method.{part}.{setting.name} {value}"


def _all_groups(command: Command, able: list[Wing]) -> list[str]:
    lines, shown = _own(command), set()
    for wing in able:
        options = wing.verbs[command.name].options
        for cls in options.groups():
            if cls not in shown:
                lines += _group(_title(cls), _declared(cls, options))
                shown.add(cls)
    return lines


def _own(command: Command) -> list[str]:
    return _group("options", command.own.values()) if command.own else []


def _is_common(cls: type[Options], command: Command, able: list[Wing]) -> bool:
    return all(issubclass(wing.verbs[command.name].options, cls) for wing in able)


def _declared(cls: type[Options], options: type[Options]) -> list[Setting]:
    """The options that a class declares first, as they are in the options of a verb."""
    return [setting for setting in options.described() if setting.name in cls.own_names()]


def _title(cls: type[Options]) -> str:
    return (cls.__doc__ or cls.__name__).splitlines()[0].rstrip(".").lower()


def _group(title: str, settings: Iterable[Setting]) -> list[str]:
    lines = [line for setting in settings for line in _entry(typed(setting), _meaning(setting))]
    return ["", f"{title}:", *lines] if lines else []


def _entry(name: str, meaning: str) -> list[str]:
    """A name and its meaning beside it, or below where the name is long."""
    head = f"  {name}"
    if len(head) >= COLUMN:
        return [head, *_wrapped(f"{'':{COLUMN}}{meaning}")]
    return _wrapped(f"{head:{COLUMN}}{meaning}") or [head]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * COLUMN, break_on_hyphens=False)


def typed(setting: Setting) -> str:
    """An option as it is typed: --batch-size N, --no-report, --split ratio|last."""
    if setting.name in BY_NAME:
        return f"--{BY_NAME[setting.name]}.NAME VALUE"
    name = setting.name.replace("_", "-")
    if setting.type is bool:
        return f"--no-{name}" if setting.default else f"--{name}"
    return f"--{name} {_values_of(setting)}"


def _values_of(setting: Setting) -> str:
    """What may follow: N, X, TEXT, or the words to choose from."""
    if words := _choices(setting):
        return "|".join(words)
    kind = _kind(setting)
    if typing.get_origin(kind) is list:
        return "N,N,..."
    return {int: "N", float: "X", bool: "true|false"}.get(kind, "TEXT")


def _kind(setting: Setting) -> Any:
    """The type of a value that is given."""
    kinds = typing.get_args(setting.type) if is_union(setting.type) else (setting.type,)
    return next((kind for kind in kinds if kind is not type(None)), str)


def _choices(setting: Setting) -> list[str]:
    kind = _kind(setting)
    return [str(word) for word in typing.get_args(kind)] if typing.get_origin(kind) is typing.Literal else []


def choices(command: Command) -> dict[str, list[str]]:
    """The words to choose from, for each option of a command that has such."""
    found = {typed(option).split()[0]: _choices(option) for option in command.options.values()}
    return {name: words for name, words in found.items() if words}


def _meaning(setting: Setting) -> str:
    """What typing an option does, and what is taken where it is not typed."""
    if setting.default is True:
        return f"Do not {setting.meaning[0].lower()}{setting.meaning[1:]}"
    return _with_default(setting)


def _with_default(setting: Setting) -> str:
    if setting.default is None or setting.default is False or setting.default == "auto":
        return setting.meaning
    return f"{setting.meaning} [{'true' if setting.default is True else setting.default}]"


def _paragraphs(about: list[str]) -> list[str]:
    return [line for text in about for line in ["", *textwrap.wrap(" ".join(text.split()), WIDTH)]][1:]


def spellings(command: Command) -> list[str]:
    """Every option of a command as it is typed; settings of a method and changes of views need their names."""
    return [typed(option).split()[0] for option in command.options.values() if option.name not in BY_NAME]

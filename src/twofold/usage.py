"""Help in words: what there is, each command with its options in groups, and what a method of one kind adds."""

from __future__ import annotations

import textwrap
import typing
from collections.abc import Iterable
from typing import Any

from twofold import wings
from twofold.catalog.options import Options
from twofold.catalog.settings import Setting, is_union
from twofold.catalog.wing import Wing
from twofold.commands import COMMANDS, Command
from twofold.errors import UserError

WIDTH, COLUMN = 110, 26
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
    lines += [f"  {name:10} {command.about[0].splitlines()[0]}" for name, command in COMMANDS.items()]
    lines += [f"  {'completion':10} Lines for the shell that complete commands, options and methods."]
    return "\n".join([*lines, "", "examples:", *(f"  {line}" for line in EXAMPLES)])


def of(command: Command, method: str | None = None) -> str:
    """A command with its options; where a method is named, those of its kind of data and the method's settings."""
    words = " ".join(name.upper() if name in command.required else f"[{name.upper()}]" for name in command.subjects)
    many = " ..." if command.takes_many else ""
    lines = [f"usage: twofold {command.name} {words}{many} [options]", "", *_paragraphs(command.about), ""]
    lines += [line for name in command.subjects for line in _entry(name.upper(), command.meanings.get(name, ""))]
    able = [wing for wing in wings.WINGS if command.name in wing.verbs]
    if not command.about_methods:
        lines += _all_groups(command, able)
    elif method is None:
        lines += _shared(command, able)
    else:
        lines += _for_method(command, method)
    return "\n".join([*lines, "", "examples:", *(f"  {line}" for line in command.examples)])


def completion() -> str:
    """Lines for bash (and zsh, after bashcompinit) that complete commands, options and methods."""
    methods = " ".join(wings.catalog().systems)
    cases = [
        f'    {name}) words="{" ".join(_spellings(command))}{" " + methods if "method" in command.subjects else ""}";;'
        for name, command in COMMANDS.items()
    ]
    return "\n".join(
        [
            "_twofold() {",
            '  local words="" word="${COMP_WORDS[COMP_CWORD]}"',
            f'  if [ "$COMP_CWORD" = 1 ]; then words="{" ".join(COMMANDS)}"; else case "${{COMP_WORDS[1]}}" in',
            *cases,
            "  esac; fi",
            '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
            "}",
            "complete -o default -F _twofold twofold",
        ]
    )


def _shared(command: Command, able: list[Wing]) -> list[str]:
    """What the options of all kinds have in common, and where those of each kind are shown."""
    common = [cls for cls in _classes(able[0].verbs[command.name].options) if _is_common(cls, command, able)]
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


def _for_method(command: Command, name: str) -> list[str]:
    """The options for the kinds of data that a method learns from, and the settings of its parts."""
    composition = wings.composed(name.split(",")[0].split("[")[0])
    able = [wing for wing in map(wings.of_kind, composition.kinds) if command.name in wing.verbs]
    if not able:
        kinds = " and ".join(wing.kind for wing in wings.WINGS if command.name in wing.verbs)
        raise UserError(f"{command.name} is for {kinds}, and {name} learns from {' and '.join(composition.kinds)}.")
    lines = _all_groups(command, able)
    for part, settings in composition.settings().items():
        if settings:
            shown = f"--method.{settings[0].name}"
            lines += ["", f"settings of {part} (such as {shown}, or --method.{part}.{settings[0].name}):"]
            lines += [line for s in settings for line in _entry(f"{s.name} {_values_of(s)}", _meaning(s))]
    for wing in able:
        of = f" for {wing.kind}" if len(able) > 1 else ""
        lines += ["", f"recipes{of}: {', '.join(composition.offered[wing.kind])}; `twofold methods {name}` shows them."]
    return lines


def _all_groups(command: Command, able: list[Wing]) -> list[str]:
    lines, shown = _own(command), set()
    for wing in able:
        options = wing.verbs[command.name].options
        for cls in _classes(options):
            if cls not in shown:
                lines += _group(_title(cls), _declared(cls, options))
                shown.add(cls)
    return lines


def _own(command: Command) -> list[str]:
    return _group("options", command.own.values()) if command.own else []


def _classes(options: type[Options]) -> list[type[Options]]:
    """The classes that declare the options: what all kinds share first, then the kind's own, then the rest."""
    bases = [cls for cls in options.__mro__ if issubclass(cls, Options) and cls is not Options]
    return [*bases[1:2], options, *bases[2:]] if len(bases) > 1 else bases


def _is_common(cls: type[Options], command: Command, able: list[Wing]) -> bool:
    return all(issubclass(wing.verbs[command.name].options, cls) for wing in able)


def _declared(cls: type[Options], options: type[Options]) -> list[Setting]:
    """The options that a class declares first, as they are in the options of a verb."""
    above = {name for base in cls.__mro__[1:] for name in getattr(base, "__annotations__", {})}
    own = [name for name in cls.__annotations__ if name not in above]
    return [setting for setting in options.described() if setting.name in own]


def _title(cls: type[Options]) -> str:
    return (cls.__doc__ or cls.__name__).splitlines()[0].rstrip(".").lower()


def _group(title: str, settings: Iterable[Setting]) -> list[str]:
    lines = [line for setting in settings for line in _entry(typed(setting), _meaning(setting))]
    return ["", f"{title}:", *lines] if lines else []


def _entry(name: str, meaning: str) -> list[str]:
    """A name and its meaning beside it, or below where the name is long."""
    head = f"  {name}"
    if len(head) >= COLUMN:
        return [head, *textwrap.wrap(meaning, WIDTH, initial_indent=" " * COLUMN, subsequent_indent=" " * COLUMN)]
    return textwrap.wrap(f"{head:{COLUMN}}{meaning}", WIDTH, subsequent_indent=" " * COLUMN) or [head]


def typed(setting: Setting) -> str:
    """An option as it is typed: --batch-size N, --no-report, --split ratio|last."""
    if setting.name == "method_options":
        return "--method.NAME VALUE"
    name = setting.name.replace("_", "-")
    if setting.type is bool:
        return f"--no-{name}" if setting.default else f"--{name}"
    return f"--{name} {_values_of(setting)}"


def _values_of(setting: Setting) -> str:
    """What may follow: N, X, TEXT, or the words to choose from."""
    kinds = typing.get_args(setting.type) if is_union(setting.type) else (setting.type,)
    kind: Any = next((kind for kind in kinds if kind is not type(None)), str)
    if typing.get_origin(kind) is typing.Literal:
        return "|".join(map(str, typing.get_args(kind)))
    if typing.get_origin(kind) is list:
        return "N,N,..."
    return {int: "N", float: "X", bool: "true|false"}.get(kind, "TEXT")


def _meaning(setting: Setting) -> str:
    """What it means, and what it is where it is not given."""
    if setting.default is None or setting.default is False or setting.default == "auto":
        return setting.meaning
    return f"{setting.meaning} [{'yes' if setting.default is True else setting.default}]"


def _paragraphs(about: list[str]) -> list[str]:
    return [line for text in about for line in ["", *textwrap.wrap(" ".join(text.split()), WIDTH)]][1:]


def _spellings(command: Command) -> list[str]:
    return [typed(setting).split()[0] for setting in command.options.values()]

"""The command line, generated from the signatures of the verbs in api.py."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import re
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

import yaml
from jsonargparse import ActionConfigFile, ArgumentParser, DefaultHelpFormatter

from twofold import __version__, api
from twofold.catalog.settings import convert
from twofold.errors import UserError, nearest

_VERBS: dict[str, Callable[..., Any]] = {verb.__name__: verb for verb in api.VERBS}
_METHOD = "--method."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns 0 when done and 2 for the user's mistake (one sentence); our own mistakes raise (1)."""
    # Threads that spin while they wait for each other cost several times the work where the machine is shared.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        run = parse(list(sys.argv[1:] if arguments is None else arguments))
        run()
    except UserError as error:
        if os.environ.get("TWOFOLD_TRACE"):
            raise
        print(f"twofold: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("twofold: stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def parse(arguments: list[str]) -> Callable[[], Any]:
    """What the arguments ask for, ready to be called. Raises UserError for anything that is not understood."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        return lambda: print(_overview())
    if arguments[0] in ("-V", "--version", "version"):
        return lambda: print(__version__)
    name, *rest = arguments
    if name not in _VERBS:
        raise UserError(f'There is no command "{name}".{nearest(name, _VERBS)} Commands: {", ".join(_VERBS)}.')
    verb, parser = _VERBS[name], _parser(name)
    if "-h" in rest or "--help" in rest:
        return lambda: print(_dashes(parser.format_help()))
    rest, options = _take_method_options(rest, name)
    rest = _plain(rest, verb)
    try:
        given = parser.parse_args(rest).as_dict()
    except argparse.ArgumentError as error:
        raise _explain(str(error), name, rest) from None
    given = {key: value for key, value in given.items() if key in inspect.signature(verb).parameters}
    if options:
        given["method_options"] = {**(given["method_options"] or {}), **options}
    return lambda: verb(**given)


class _Help(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Examples keep their lines."""


def _parser(name: str) -> ArgumentParser:
    verb = _VERBS[name]
    about, _, _ = (inspect.getdoc(verb) or "").partition("\n\nArgs:")
    about, _, examples = about.partition("\n\nExamples:\n")
    parser = ArgumentParser(
        prog=f"twofold {name}",
        description=about,
        epilog=f"examples:\n{examples}",
        exit_on_error=False,
        formatter_class=_Help,
    )
    parser.add_argument(
        "--config", action=ActionConfigFile, help="A YAML file of these options, as a run folder has it."
    )
    parser.add_function_arguments(verb, as_group=False, as_positional=True)
    return parser


def _overview() -> str:
    lines = ["usage: twofold COMMAND ... [--help]", "", "Learn representations without labels.", "", "commands:"]
    lines += [f"  {name:10} {(inspect.getdoc(verb) or '').splitlines()[0]}" for name, verb in _VERBS.items()]
    examples = [
        "twofold check photos/",
        "twofold pretrain moco photos/ --out runs/photos",
        "twofold evaluate runs/photos train/ --test test/",
        "twofold embed runs/photos photos/",
        "twofold export runs/photos",
        "twofold pretrain --help",
    ]
    return "\n".join([*lines, "", "examples:", *(f"  {line}" for line in examples)])


def _dashes(text: str) -> str:
    return re.sub(r"--[a-z_]+", lambda found: found.group().replace("_", "-"), text)


def _take_method_options(arguments: list[str], name: str) -> tuple[list[str], dict[str, str]]:
    """Split `--method.NAME VALUE` (or `=VALUE`) from the other arguments."""
    rest, options, waiting = [], {}, iter(arguments)
    for argument in waiting:
        if not argument.startswith(_METHOD):
            rest.append(argument)
            continue
        key, equals, value = argument[len(_METHOD) :].partition("=")
        value = value if equals else next(waiting, "")
        if not value or value.startswith("--"):
            raise UserError(f"{_METHOD}{key} needs a value.")
        options[key.replace("-", "_")] = value
    if options and name != "pretrain":
        raise UserError(f"{_METHOD}{next(iter(options))} belongs to pretrain, not to {name}.")
    return rest, options


def _plain(arguments: list[str], verb: Callable[..., Any]) -> list[str]:
    """Arguments as the parser wants them: underscores in names, values for switches, lists as one argument.

    Where a configuration file is given and no positional argument comes first, those are taken from the file.
    """
    parameters = inspect.signature(verb).parameters
    hints = typing.get_type_hints(verb)
    plain: list[str] = []
    for i, argument in enumerate(arguments):
        if not argument.startswith("--"):
            plain.append(argument)
            continue
        name, equals, value = argument.partition("=")
        key = name[2:].replace("-", "_")
        switched_off = key.startswith("no_") and hints.get(key[3:]) is bool
        key = key[3:] if switched_off else key
        plain.append(f"--{key}{equals}{value}")
        follows = arguments[i + 1] if i + 1 < len(arguments) else "--"
        if hints.get(key) is bool and not equals and (switched_off or follows.lower() not in ("true", "false")):
            plain.append("false" if switched_off else "true")
    required = [key for key, p in parameters.items() if p.default is p.empty]
    leading = next((i for i, argument in enumerate(plain) if argument.startswith("--")), len(plain))
    if "--config" in plain[:-1]:
        # The file comes first, so that everything given on the command line goes over it.
        at = plain.index("--config")
        held = _read_config(plain[at + 1])
        positionals = plain[:leading] or [str(held[key]) for key in required if key in held]
        plain = [*plain[at : at + 2], *positionals, *plain[leading:at], *plain[at + 2 :]]
    elif leading and not required:
        plain = [f"--{next(iter(parameters))}", *plain]
    elif leading and hints[required[-1]] == list[str]:
        plain = [json.dumps(plain[:leading]), *plain[leading:]]
    return plain


def _read_config(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            values = yaml.safe_load(file)
    except OSError as error:
        raise UserError(f'The configuration "{path}" cannot be read: {error.strerror}.') from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f'The configuration "{path}" is not YAML: {str(error).splitlines()[0]}.') from None
    if not isinstance(values, dict):
        raise UserError(f'The configuration "{path}" is not a mapping of option names to values.')
    return values


def _explain(error: str, name: str, arguments: list[str]) -> UserError:
    """The parser's complaint as one sentence with the nearest right thing."""
    hints = typing.get_type_hints(_VERBS[name])
    names = [f"--{key.replace('_', '-')}" for key in hints if key != "return"]
    see = f"see `twofold {name} --help`"
    if found := re.search(r"unrecognized arguments: (.*)", error):
        first = next((a for a in found.group(1).split() if a.startswith("--")), found.group(1).split()[0])
        option = first.partition("=")[0].replace("_", "-")
        if not option.startswith("--"):
            return UserError(f'"{first}" is one argument too many for {name}; {see}.')
        return UserError(f"{name} has no option {option}.{nearest(option, names)} For all options {see}.")
    if found := re.search(r"arguments are required: (.*)", error):
        wanted = " and ".join(part.strip().upper() for part in found.group(1).split(","))
        return UserError(f"{name} needs {wanted}; {see}.")
    if found := re.search(r"Option '([\w.]+)' is not accepted", error):
        return UserError(f'The configuration has an unknown key "{found.group(1)}".{nearest(found.group(1), hints)}')
    if found := re.search(r'[Kk]ey "?\'?([\w.]+)', error):
        key = found.group(1)
        value = next((arguments[i + 1] for i, a in enumerate(arguments[:-1]) if a == f"--{key}"), None)
        if value is None and (given := re.search(r"(?:Given|Got) value: (.*)", error)):
            value = given.group(1)
        if key in hints and value is not None:
            try:
                convert(f"--{key.replace('_', '-')}", value, hints[key])
            except UserError as explained:
                return explained
    return UserError(f"{' '.join(error.split())}; {see}")

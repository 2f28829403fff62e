"""The command line: words become a verb and its options by name; what they mean is checked where they are declared."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twofold import __version__, usage
from twofold.catalog.settings import BY_NAME, NO, YES, convert
from twofold.commands import COMMANDS, Command
from twofold.completion import completion
from twofold.errors import UserError, clause, nearest
from twofold.files import read_whole, refusal, why
from twofold.launcher import first_process, is_first_to_say
from twofold.printable import say
from twofold.runs.config import MOST_BYTES, parse_settings

NUMBER = re.compile(r"-\.?[0-9]")  # the beginning of one below 0


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
        if is_first_to_say(str(error)):
            say(f"twofold: {error}", sys.stderr)
        return 2
    except KeyboardInterrupt:
        if first_process():
            say("twofold: stopped.", sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if os.environ.get("TWOFOLD_TRACE") or not refusal(error):
            raise
        if is_first_to_say(refusal(error)):
            say(f"twofold: {refusal(error)}", sys.stderr)
        return 2
    return 0


def parse(arguments: list[str]) -> Callable[[], Any]:
    """What the arguments ask for, ready to be called. Raises UserError for anything that is not understood."""
    if not arguments or arguments == ["help"] or arguments[0] in ("-h", "--help"):
        return lambda: say(usage.overview())
    if arguments[0] == "help":
        arguments = [*arguments[1:], "--help"]
    if arguments[0] in ("-V", "--version", "version"):
        return lambda: say(__version__)
    name, *words = arguments
    known = [*COMMANDS, "completion"]
    if name not in known:
        raise UserError(f'There is no command "{name}".{nearest(name, known)} Commands: {", ".join(known)}.')
    if name == "completion":
        return lambda: say(completion())
    command = COMMANDS[name]
    if "-h" in words or "--help" in words:
        text = usage.of(command, _method_named(command, words))
        return lambda: say(text)
    values = _values(command, words)
    return lambda: command.call(values)


def _method_named(command: Command, words: list[str]) -> str | None:
    """The method in the words before or after `--help`, whose options are to be shown."""
    if not command.about_methods:
        return None
    rest, _ = _take_named([word for word in words if word not in ("-h", "--help")], command)
    plain, options = _split(command, _tidy(rest, command))
    return next(iter(plain), None) if command.named_by_subject else options.get("method")


def _values(command: Command, words: list[str]) -> dict[str, Any]:
    """What a command is given, by name: the words of the command line, over those of a configuration file."""
    rest, named = _take_named(words, command)
    plain, options = _split(command, _tidy(rest, command))
    from_file = _read_config(options.pop("config"), command) if "config" in options else {}
    values = {**from_file, **_subjects(command, plain), **options}
    values |= {option: {**(from_file.get(option) or {}), **own} for option, own in named.items()}
    wanted = [name.upper() for name in command.required if name not in values]
    if wanted:
        raise UserError(f"{command.name} needs {' and '.join(wanted)}; see `twofold {command.name} --help`.")
    return values


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        option = message.partition(":")[0].removeprefix("argument ").split("/")[0]
        reason = "needs a value" if "expected" in message else message.partition(": ")[2]
        raise UserError(f"{option} {reason}; see `{self.prog} --help`.")


def _split(command: Command, words: list[str]) -> tuple[list[str], dict[str, Any]]:
    """(plain words, options by name): everything is text yet, but for switches."""
    parser = _Parser(prog=f"twofold {command.name}", add_help=False, allow_abbrev=False)
    options = {name: option for name, option in command.options.items() if name not in BY_NAME}
    for name in ("config", *options):
        switch = name in options and options[name].type is bool
        action: Any = argparse.BooleanOptionalAction if switch else "store"
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, action=action, default=argparse.SUPPRESS)
    found, others = parser.parse_known_args(words)
    unknown = next((word for word in others if word.startswith("--") and word != "--"), None)
    if unknown is not None:
        option = unknown.partition("=")[0]
        known = [f"--{name.replace('_', '-')}" for name in options]
        raise UserError(
            f"{command.name} has no option {option}.{nearest(option, known)} "
            f"For all options see `twofold {command.name} --help`."
        )
    return [word for word in others if word != "--"], vars(found)


def _subjects(command: Command, words: list[str]) -> dict[str, Any]:
    """The plain words by the names of what the command is about."""
    names = command.subjects
    if command.takes_many:
        return {names[0]: words} if words else {}
    if len(words) > len(names):
        see = f"see `twofold {command.name} --help`"
        raise UserError(f'"{words[len(names)]}" is one argument too many for {command.name}; {see}.')
    return dict(zip(names, words, strict=False))


def _tidy(words: list[str], command: Command) -> list[str]:
    """Underscores in names as dashes, numbers below 0 tied to their options, and `--quiet true` or `--quiet=false` as
    `--quiet` or `--no-quiet`."""
    switches = [name for name, option in command.options.items() if option.type is bool]
    tidy: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.partition("=")
        if not name.startswith("--") or word == "--":
            tidy.append(word)
            continue
        key = name[2:].replace("-", "_")
        if key in switches:
            if not equals and waiting and waiting[0].lower() in (*YES, *NO):
                value = waiting.pop(0)
            on = convert(name, value, bool) if equals or value else True
            name, equals, value = f"--{'' if on else 'no-'}{key}", "", ""
        elif equals and key.removeprefix("no_") in switches:
            raise UserError(f"{name} takes no value: leave it out, or give --{name[5:]}{equals}{value}.")
        elif not equals and waiting and NUMBER.match(waiting[0]):
            equals, value = "=", waiting.pop(0)  # or its minus would make it an option
        tidy.append(f"{name.replace('_', '-')}{equals}{value}")
    return tidy


def _take_named(words: list[str], command: Command) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Split `--method.NAME VALUE` and `--views.NAME VALUE` (or `=VALUE`) from the other words."""
    rest: list[str] = []
    found: dict[str, dict[str, str]] = {}
    waiting = iter(words)
    for word in waiting:
        option = next((option for option, before in BY_NAME.items() if word.startswith(f"--{before}.")), None)
        if option is None:
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        value = value if equals else next(waiting, "")
        if not value or value.startswith("--"):
            raise UserError(f"{name} needs a value.")
        if option not in command.options:
            able = [other.name for other in COMMANDS.values() if option in other.options]
            raise UserError(f"{name} belongs to {' and '.join(able)}, not to {command.name}.")
        found.setdefault(option, {})[name.partition(".")[2].replace("-", "_")] = value
    return rest, found


def _read_config(path: str, command: Command) -> dict[str, Any]:
    try:
        values = parse_settings(read_whole(Path(path).expanduser(), MOST_BYTES))
    except OSError as error:
        raise UserError(f'The configuration "{path}" cannot be read: {why(error)}.') from None
    except ValueError as error:
        raise UserError(
            f'The configuration "{path}" is no YAML of option names with values ({clause(error)}).'
        ) from None
    known = (*command.subjects, *command.options)
    for key in values:
        if key not in known:
            raise UserError(f'The configuration has an unknown key "{key}".{nearest(str(key), known)}')
    return values

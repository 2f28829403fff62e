"""Shell completion: commands, options with their choices, methods and additions, as a script for bash."""

from __future__ import annotations

from collections.abc import Iterator

from twofold import wings
from twofold.catalog.composition import Catalog
from twofold.commands import COMMANDS, Command
from twofold.usage import choices, spellings

# $1: the start of the last part of a word such as moco+c or moco,by, which is to be completed; $2: what may follow.
_SCRIPT = """
_twofold() {
  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words="" methods="" start=""
  if [ "$COMP_CWORD" = 1 ]; then words="%(commands)s"; else case "${COMP_WORDS[1]}" in
%(cases)s
  esac; fi
  case "$before" in
%(choices)s
    --method) words="%(methods)s" methods=yes;;
  esac
  if [ -n "$methods" ]; then
    case "$word" in
      *+*) start="${word%%+*}+"; case "${word%%%%+*}" in
%(additions)s
      esac;;
      *,*) start="${word%%,*}," words="%(methods)s";;
    esac
  fi
  COMPREPLY=($(compgen -P "$start" -W "$words" -- "${word#"$start"}"))
}
complete -o default -F _twofold twofold
"""


def completion() -> str:
    """The script: `eval "$(twofold completion)"` in bash, and in zsh after `compinit` and `bashcompinit`."""
    catalog = wings.catalog()
    methods = " ".join(catalog.systems)
    values = {name: words for command in COMMANDS.values() for name, words in choices(command).items()}
    return _SCRIPT.strip() % {
        "commands": " ".join([*COMMANDS, "completion"]),
        "cases": "\n".join(f"    {_case(command, methods)};;" for command in COMMANDS.values()),
        "choices": "\n".join(f'    {name}) words="{" ".join(words)}";;' for name, words in values.items()),
        "methods": methods,
        "additions": "\n".join(f"        {case};;" for case in _additions(catalog)),
    }


def _additions(catalog: Catalog) -> Iterator[str]:
    """For bases that learn from the same data, the additions that do, too."""
    bases: dict[str, list[str]] = {}
    for name in catalog.systems:
        kinds = set(catalog.recipes[name])
        known = [a for a, addition in catalog.additions.items() if kinds & set(addition.kinds or kinds)]
        bases.setdefault(" ".join(known), []).append(name)
    for words, names in bases.items():
        yield f'{"|".join(names)}) words="{words}"'
    yield f'*) words="{" ".join(catalog.additions)}"'


def _case(command: Command, methods: str) -> str:
    """The words that may follow a command."""
    words = " ".join([*spellings(command), "--config", "--help"])
    if not command.named_by_subject and command.name != "methods":
        return f'{command.name}) words="{words}"'
    return f'{command.name}) words="{words}"; [ "$COMP_CWORD" = 2 ] && words="$words {methods}" methods=yes'

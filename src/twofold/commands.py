"""The verbs as the shell knows them, read from their signatures in api.py and from the options of every wing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import twofold
from twofold import api, wings
from twofold.catalog.settings import Setting, arguments
from twofold.doctor import doctor
from twofold.printable import say


@dataclass(frozen=True)
class Command:
    """A verb: its name in the shell, and the function that does it."""

    name: str
    verb: Callable[..., Any]

    @cached_property
    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.verb).parameters

    @property
    def subjects(self) -> tuple[str, ...]:
        """What the verb is about: plain words, in order."""
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return tuple(name for name, p in self._parameters.items() if p.kind in kinds and name != "options")

    @property
    def required(self) -> tuple[str, ...]:
        """The subjects that must be given."""
        return tuple(name for name in self.subjects if self._parameters[name].default is inspect.Parameter.empty)

    @property
    def takes_many(self) -> bool:
        """Whether the verb is about any number of words."""
        return len(self.subjects) == 1 and str(self._parameters[self.subjects[0]].annotation).startswith("list")

    @property
    def named_by_subject(self) -> bool:
        """Whether a method, or several, is the first thing that is named."""
        return self.subjects[0] in ("method", "methods")

    @property
    def about_methods(self) -> bool:
        """Whether a method decides which options there are."""
        return self.named_by_subject or "method" in self.own

    @property
    def own(self) -> dict[str, Setting]:
        """Options of the verb itself, whatever the kind of data."""
        return {
            name: Setting(name, str, p.default, self.meanings.get(name, ""))
            for name, p in self._parameters.items()
            if p.kind is inspect.Parameter.KEYWORD_ONLY
        }

    @property
    def options(self) -> dict[str, Setting]:
        """The options by name, its own and those of every wing that has the verb."""
        found = self.own
        for wing in wings.WINGS:
            if self.name in wing.verbs:
                found |= {option.name: option for option in wing.verbs[self.name].options.described()}
        return found

    @cached_property
    def about(self) -> list[str]:
        """The paragraphs of the verb's documentation before its examples."""
        return inspect.cleandoc(self.verb.__doc__ or "").partition("\n\nExamples:")[0].split("\n\n")

    @cached_property
    def examples(self) -> list[str]:
        """Commands to try."""
        text = inspect.cleandoc(self.verb.__doc__ or "").partition("\n\nExamples:\n")[2]
        return [line.strip() for line in text.partition("\n\n")[0].splitlines()]

    @cached_property
    def meanings(self) -> dict[str, str]:
        """What each subject, and each option of its own, means."""
        return arguments(inspect.cleandoc(self.verb.__doc__ or ""))

    def call(self, values: Mapping[str, Any]) -> Any:
        """Do it, with values by name."""
        return self.verb(**values)


def methods(name: str | None = None) -> None:
    """What there is: every method with its paper and how well it is verified; or one method with its settings.

    Examples:
        twofold methods
        twofold methods moco+co2

    Args:
        name: A method or a composition to describe.
    """
    from twofold.catalog.describe import list_in_words

    say(str(api.describe(name)) if name else list_in_words(wings.catalog()))


_PYTHON_ONLY = ("__version__", "open_run", "load", "list_methods", "describe")
COMMANDS = {
    **{name: Command(name, getattr(api, name)) for name in twofold.__all__ if name not in _PYTHON_ONLY},
    "methods": Command("methods", methods),
    "doctor": Command("doctor", doctor),
}

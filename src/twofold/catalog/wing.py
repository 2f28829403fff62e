"""What a wing says of itself at its front door, and what the catalog says of a system. Records only, no torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from twofold.catalog.options import Options


def load(path: str) -> Any:
    """What an import path `module:name` names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True)
class Recipe:
    """Settings that belong together, of one size of images or kind of pairs. source: where the values stand.

    views: a name of the wing's augmentations. plan: optimizer, base_lr, scaling, weight_decay, warmup_epochs,
    warmup_steps or warmup_share (of the run), schedule (for "step" with its milestones as shares of the run and its
    drop), floor (of the rate), clip (of the gradient's norm), epochs, batch_size; what a wing's own options are beside
    these, such as last_stage. method: settings of the base and its
    additions.
    """

    views: str
    plan: Mapping[str, Any]
    method: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


def with_settings(recipes: Mapping[str, Recipe], **settings: Any) -> dict[str, Recipe]:
    """The same recipes with other settings of the method."""
    return {name: replace(recipe, method={**recipe.method, **settings}) for name, recipe in recipes.items()}


@dataclass(frozen=True)
class System:
    """One entry of the catalog.

    base, additions: import paths `module:Class`. recipes: by name, of a system that belongs to one wing; those of a
    system that needs no particular kind of data stand in each wing. summary: what it does, in one line. suits: when to
    use it. verified: by what, and measured: on what, in a few words. reconstruction: no code was released, and what the
    paper leaves open is decided here. zero_init_residual: the last batch norm of each residual block starts at scale 0,
    like in the authors' code. kinds: the data that its addition needs, any where None. page: of docs/methods/, where it
    is not that of the first system of the same class.
    """

    title: str
    paper: str
    base: str
    additions: tuple[str, ...] = ()
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    summary: str = ""
    suits: str = ""
    verified: str = ""
    measured: str = ""
    reconstruction: bool = False
    zero_init_residual: bool = False
    kinds: tuple[str, ...] | None = None
    page: str = ""


@dataclass(frozen=True)
class Verb:
    """What a verb means in one wing: its options, and the job `module:function` that does it."""

    options: type[Options]
    job: str

    def load(self) -> Callable[..., Any]:
        """The job itself; importing it may take seconds."""
        return load(self.job)


@dataclass(frozen=True)
class Wing:
    """The front door of a kind of data; `twofold.wings` knows no more of a wing than this.

    kind: its name. example: data as a user would name it. recognises: whether a path looks like this kind, by its
    suffixes, without decoding anything. systems: entries that need this kind. recipes: for systems that need no
    particular kind, by system and name. additions: import paths, by name. verbs: by name. sections: the import path
    of what its pages show. trials: that of what `doctor` tries of the machine, none where empty. changes: that of a
    function that lists what may be changed in the views of a recipe, by their name, none where empty. usual: the method
    that `check` asks about where none is named. opens: whether a model that is no run folder, but a file or a name,
    is one of its own.
    """

    kind: str
    example: str
    recognises: Callable[[str], bool]
    verbs: Mapping[str, Verb]
    sections: str
    usual: str
    systems: Mapping[str, System] = field(default_factory=dict)
    recipes: Mapping[str, Mapping[str, Recipe]] = field(default_factory=dict)
    additions: Mapping[str, str] = field(default_factory=dict)
    opens: Callable[[str], bool] = lambda model: False
    trials: str = ""
    changes: str = ""

"""The options of each verb for control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twofold.catalog import options
from twofold.catalog.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Environment(Options):
    """Options of environments"""

    size: int | None = option(None, least=4, most=1024)
    """Side of the pictures in pixels; 84 in Atari, 100 in DMControl, as the game draws them in our own, where not
    given."""
    grey: bool | None = option(None)
    """One channel, not three; so in Atari where not given."""
    action_repeat: int | None = option(None, least=1, most=1000)
    """Frames for which an action is held; 4 in Atari, by the task in DMControl, 1 elsewhere, where not given."""
    stack: int | None = option(None, least=1, most=64)
    """Pictures that make a state; 4 for rainbow, 3 for sac, 1 for vectors, where not given."""
    pixels: bool = option(True)
    """Learn from pictures in the place of vectors."""
    sticky: float = option(0.0, least=0, most=1)
    """Of Atari: how likely the last action goes on in a frame."""
    noops: int = option(30, least=0, most=1000)
    """Of Atari: an episode begins with fewer frames than this without an action, drawn by the seed."""
    life_loss: bool = option(True)
    """Take a lost life as the end of an episode, for the learner alone."""
    frame_cap: int = option(108_000, least=1)
    """Frames after which an episode is cut off."""
    preprocessing: Literal["reference", "gymnasium"] = option("reference")
    """Of Atari: pictures as the authors of Rainbow make them, or as gymnasium's wrapper does."""
    fast_render: bool = option(False)
    """Of DMControl: draw without shadows and smoothing, several times faster; pictures differ from published ones."""
    action_range: list[float] | None = option(None)
    """Lowest and highest value of each number of an action, where the environment sets no bounds: -1,1."""


@dataclass(frozen=True, kw_only=True)
class Log(Options):
    """Options of reading what was logged"""

    layout: Literal["auto", "chw", "hwc"] = option("auto")
    """Order of channels, height and width in pictures, where their sizes leave it open."""
    observation: str | None = option(None)
    """The part of an observation that is seen, where it has several."""
    reward_shift: int = option(0, least=-1, most=1)
    """1 where the reward in a row came before its action."""
    on_nan: Literal["refuse", "drop"] = option("refuse")
    """What becomes of rewards that are no number: the run ends, or the step is left out and counted."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(options.Pretrain, Environment, Log):
    """Options of learning to act, or from logged episodes"""

    steps: int | None = option(None, least=1, seconds=1e-4, grows=True)
    """Decisions of an agent; the recipe's where not given. Of logged episodes: optimizer steps."""
    replay: int | None = option(None, least=64)
    """Steps that are kept, each picture once; the recipe's where not given."""
    learn_start: int | None = option(None, least=1)
    """Decisions before the first update; the recipe's where not given."""
    train_every: int | None = option(None, least=1)
    """Decisions for each update; the recipe's where not given."""
    clip: float | None = option(None, least=0)
    """Largest norm of the gradient, 0 for any; the recipe's where not given."""
    eval_every: int | None = option(None, least=1)
    """Decisions between evaluations; a tenth of the run where not given."""
    eval_episodes: int = option(10, least=1)
    """Episodes of each evaluation, in an environment of its own."""
    test: str | None = option(None, path=True)
    """Of logged episodes: others, which the encoder is asked about at the end."""
    holdout: float = option(0.2, least=0, most=0.9)
    """Of logged episodes, where no others are given: the share that nothing is learned from, and that the encoder is
    asked about at the end."""


@dataclass(frozen=True, kw_only=True)
class Evaluate(options.Evaluate, Log):
    """Options of measuring an agent, or an encoder"""

    test: str | None = option(None, path=True)
    """Logged episodes to be asked about; 3 of 10 of the data where not given."""
    protocols: str | None = option(None)
    """Of returns (an agent plays), linear and knn (an encoder foretells returns), commas between; by what is given
    where not given."""
    episodes: int = option(10, least=1)
    """Episodes that are played."""
    gamma: float = option(0.97, least=0, most=1)
    """Discount of the returns that are foretold."""
    k: int = option(10, least=1)
    """Neighbours of knn."""
    seed: int = option(0)
    """The seed of episodes and of splits."""
    batch_size: int = option(256, least=1)
    """States of a forward pass."""


@dataclass(frozen=True, kw_only=True)
class Compare(options.Compare, Environment, Log):
    """Options of comparing agents, or encoders"""

    steps: int | None = option(None, least=1, seconds=1e-4)
    """Decisions of each agent; the recipe's where not given. Of logged episodes: optimizer steps."""
    test: str | None = option(None, path=True)
    """Of logged episodes: others to be asked about; a fifth of the log where not given."""
    eval_every: int | None = option(None, least=1)
    """Decisions between evaluations; a tenth of a run where not given."""
    eval_episodes: int = option(10, least=1)
    """Episodes of each evaluation."""
    replay: int | None = option(None, least=64)
    """As for pretrain."""


@dataclass(frozen=True, kw_only=True)
class Embed(options.Embed, Log):
    """Options of embedding the states of logged episodes"""

    gamma: float = option(0.97, least=0, most=1)
    """Discount of the return that is written beside each state."""
    batch_size: int = option(256, least=1)
    """States of a forward pass."""


@dataclass(frozen=True, kw_only=True)
class Load(Options):
    """Options of opening what was learned in Python"""

    policy: bool = option(False)
    """From states to actions, as the agent plays at its best, not to features."""


@dataclass(frozen=True, kw_only=True)
class Export(Options):
    """Options of exporting an encoder, or an agent"""

    format: Literal["safetensors", "onnx"] = option("safetensors")
    """The encoder as weights that plain PyTorch loads, or as a program."""
    policy: bool = option(False)
    """The whole agent, from a state to its action, not the encoder alone (onnx)."""
    out: str | None = option(None, path=True)
    """The file; encoder or policy in the run folder where not given."""

"""From options and a recipe to a plan: what is left open follows from the recipe and the amount of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from twofold.catalog.options import Network, Pretrain
from twofold.errors import UserError
from twofold.training.plan import Plan

P = TypeVar("P", bound=Pretrain)


def settle_training(options: P, plan: Mapping[str, Any], count: int, *, epochs: int) -> P:
    """The options with every number of the training filled in; the batch size has been.

    plan: of the recipe. count: things in the data. epochs: where neither epochs nor steps are given. Raises UserError
    for another optimizer than the recipe's without a rate of its own.
    """
    rate = (options.lr, options.base_lr) if isinstance(options, Network) else (options.lr,)
    own_rate = any(value is not None for value in rate)
    if options.optimizer not in ("auto", plan["optimizer"]) and not own_rate:
        names = "--lr or --base-lr" if isinstance(options, Network) else "--lr"
        raise UserError(f"--optimizer {options.optimizer} needs {names}: the recipe's rate is for {plan['optimizer']}.")
    settings = replace(
        options,
        epochs=epochs if options.epochs is None and options.steps is None else options.epochs,
        optimizer=plan["optimizer"] if options.optimizer == "auto" else options.optimizer,
        weight_decay=plan.get("weight_decay", 0.0) if options.weight_decay is None else options.weight_decay,
    )
    if not isinstance(settings, Network):
        return settings if own_rate else replace(settings, lr=plan["base_lr"])
    rate_of_recipe = {} if own_rate else {"base_lr": plan["base_lr"]}
    return cast(P, _settle_course(replace(settings, **rate_of_recipe), plan, count))


def _settle_course(options: Any, plan: Mapping[str, Any], count: int) -> Any:
    """The course of a network's learning rate: schedule, warm-up and drops, which a short run shortens."""
    settings = replace(
        options,
        schedule=plan["schedule"] if options.schedule == "auto" else options.schedule,
        scaling=plan["scaling"] if options.scaling == "auto" else options.scaling,
    )
    per_epoch = max(count // settings.batch_size, 1)
    length = float(settings.epochs) if settings.steps is None else float(settings.steps) / per_epoch
    if settings.schedule == "step":
        shares = plan.get("milestones", (0.6, 0.8))
        marks = [round(share * length) for share in shares] if settings.milestones is None else settings.milestones
        settings = replace(settings, milestones=marks, drop=settings.drop or plan.get("drop", 0.1))
    if settings.warmup_epochs is None:
        published = plan.get("warmup_epochs", plan.get("warmup_steps", 0) / per_epoch)
        warmup = plan["warmup_share"] * length if "warmup_share" in plan else min(published, length / 10)
        settings = replace(settings, warmup_epochs=round(warmup, 4))
    return replace(
        settings,
        clip=plan.get("clip") if settings.clip is None else settings.clip,
        lr_floor=plan.get("floor") if settings.lr_floor is None else settings.lr_floor,
    )


def plan_of(settings: Pretrain, *, unit: str, log_every: int = 10) -> Plan:
    """The training plan of settled options. unit: what the data is counted in. log_every: where it is not given."""
    assert settings.batch_size is not None and settings.weight_decay is not None
    plan = Plan(
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        steps=settings.steps,
        seed=settings.seed,
        optimizer=cast(Any, settings.optimizer),
        lr=settings.lr if not isinstance(settings, Network) or settings.lr is not None else 0.0,
        weight_decay=settings.weight_decay,
        schedule="constant",
        log_every=settings.log_every or log_every,
        save_every=settings.save_every,
        unit=unit,
    )
    if not isinstance(settings, Network):
        return plan
    return replace(
        plan,
        base_lr=settings.base_lr,
        lr=settings.lr,
        scaling=cast(Any, settings.scaling),
        schedule=cast(Any, settings.schedule),
        warmup_epochs=settings.warmup_epochs or 0.0,
        milestones=tuple(settings.milestones or ()),
        drop=settings.drop or 0.1,
        floor=settings.lr_floor or 0.0,
        clip=settings.clip or None,
        accumulate=settings.accumulate,
        precision=cast(Any, settings.precision),
        compile=settings.compile,
        strategy=settings.strategy,
        recompute=settings.activation_checkpointing,
    )

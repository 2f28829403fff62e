"""Fine-tuning on clips: all layers learn from random clips; the same from random weights is the floor."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.evaluation.accuracy import accuracies
from twofold.pixels.views import Augmentation
from twofold.pixels.views.augmentations import Crop, Flip, Jitter, Normalise
from twofold.randomness import derive
from twofold.runs.screen import OnProgress
from twofold.seam import Progress, Views
from twofold.training.sampler import order
from twofold.videos.backbones import Backbone
from twofold.videos.evaluation.features import InputSettings, stream_features
from twofold.videos.evaluation.splits import Split
from twofold.videos.reading.clips import drawn
from twofold.videos.rule import Sampling
from twofold.videos.views import ClipAugmentation
from twofold.videos.views.pretext import Pretext
from twofold.videos.views.views import ClipViews


@dataclass(frozen=True)
class FinetuneRecipe:
    """Nesterov SGD, momentum 0.9, cosine to zero by step after a linear warm-up; dropout before the layer; crops of 0.2
    to 1 of the area, mirror, a little jitter. lr: for 32 clips, scaled in proportion to the batch. min_steps: few
    labels are gone through more often, up to as many steps. (Rates and dropout of the protocols in section 5.1 of the
    papers of CtP and CMD; the schedule is ours.)"""

    lr: float = 0.01
    batch_size: int = 32
    epochs: int = 30
    warmup: float = 0.1
    dropout: float = 0.5
    weight_decay: float = 5e-4
    min_steps: int = 300


class OnlyLabels(nn.Module):
    """What is learned of a network beside the labels: nothing. Others are tasks with the same members.

    pretext: what is drawn with the clips. view_count: views of each.
    """

    pretext = Pretext()
    view_count = 1

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, views: Views, progress: Progress) -> tuple[Tensor, Tensor]:
        """Pooled features (B, C) of the first views, and the loss."""
        pooled: Tensor = self.network(views.tensors[0]).pooled
        return pooled, pooled.new_zeros(())


@dataclass(frozen=True)
class Classifier:
    """A network and a layer over it that have learned from labels."""

    network: Backbone
    head: nn.Module

    def accuracies(
        self, test: Split, inputs: InputSettings, average: Literal["softmax", "logits"] = "softmax"
    ) -> dict[str, float]:
        """{"top1", "top5"} (0..1; top5 only beyond 5 classes) of videos, the mean over their clips."""
        rows = torch.cat([rows for _, rows in stream_features(self.network, test.clips, inputs, test.indices)])
        with torch.no_grad():
            answers = self.head(rows.to(inputs.device)).cpu()
        scores = (answers.softmax(2) if average == "softmax" else answers).mean(1)
        keep = test.readable()
        return accuracies(scores[keep], test.labels[keep])


VIEWS = Augmentation((((Crop((0.2, 1.0)), Flip(0.5), Jitter(0.4, 0.4, 0.4, 0.1, p=0.3), Normalise())),))


def finetune(
    backbone: Backbone,
    train: Split,
    classes: int,
    inputs: InputSettings,
    *,
    recipe: FinetuneRecipe | None = None,
    epochs: int | None = None,
    seed: int = 0,
    auxiliary: Callable[[nn.Module], Any] = OnlyLabels,
    weight: float = 1.0,
    on_progress: OnProgress | None = None,
) -> Classifier:
    """A copy of the backbone, with a new linear layer, after training on labelled videos.

    auxiliary: makes of the copy what is learned beside the labels, with this weight. Raises UserError when the loss is
    no longer finite.
    """
    recipe = recipe or FinetuneRecipe()
    batch = min(recipe.batch_size, max(4, len(train) // 4), len(train))
    per_epoch = max(len(train) // batch, 1)
    epochs = epochs or max(recipe.epochs, -(-recipe.min_steps // per_epoch))
    network = copy.deepcopy(backbone).to(inputs.device)
    torch.manual_seed(derive(seed, "finetune"))
    head = nn.Sequential(nn.Dropout(recipe.dropout), nn.Linear(backbone.width, classes)).to(inputs.device)
    task = auxiliary(network).to(inputs.device)
    learning = [*task.parameters(), *head.parameters()]
    rate, steps = recipe.lr * batch / 32, epochs * per_epoch
    optimizer = torch.optim.SGD(learning, rate, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay)
    sampling, size, statistics = Sampling(inputs.frames, inputs.stride), inputs.size, (inputs.mean, inputs.std)
    views, pretext = ClipAugmentation(sampling, (0, 1), VIEWS), task.pretext
    cut = ClipViews(views, size, seed=seed, statistics=statistics, count=task.view_count, pretext=pretext)
    choose = drawn(sampling, clips=task.view_count, seed=seed, fps=inputs.fps, choose=pretext.choose)
    clips = train.clips.choosing(choose)
    labels = dict(zip(train.indices.tolist(), train.labels.tolist(), strict=True))
    step = 0
    for epoch in range(epochs):
        task.train()
        head.train()
        rows = train.indices[order(len(train), seed, epoch)].split(batch)[:per_epoch]
        for index, found in zip(rows, clips.stream(rows, [epoch] * len(rows)), strict=True):
            share = min(1.0, (step + 1) / max(recipe.warmup * steps, 1))
            for group in optimizer.param_groups:
                group["lr"] = rate * share * 0.5 * (1 + math.cos(math.pi * step / steps))
            with inputs.autocast():
                pooled, beside = task(cut(found.to(inputs.device), epoch), Progress(step, steps, epoch, epochs, seed))
            truth = torch.tensor([labels[i] for i in index.tolist()], device=inputs.device)
            own = torch.tensor([i not in clips.replaced for i in index.tolist()], device=inputs.device)
            answers = head(pooled.float())[own]  # what stands in for a broken video has another label
            loss = weight * beside + (F.cross_entropy(answers, truth[own]) if own.any() else answers.sum())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learning, 40.0)
            optimizer.step()
            step += 1
        if not bool(torch.isfinite(loss)):
            raise UserError(
                f"Fine-tuning diverged in epoch {epoch + 1}; its learning rate ({recipe.lr:g}) is too high."
            )
        if on_progress:
            on_progress(epoch + 1, epochs)
    return Classifier(network.eval(), head.eval())

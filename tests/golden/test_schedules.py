"""Learning rates of SimSiam and BYOL against the official schedules."""

import pytest
import torch

from twofold.training.optimizer import set_rate
from twofold.training.plan import Length, Plan


def test_simsiam_rate_of_encoder_and_predictor(golden):
    file = golden("images_simsiam")
    epochs, base = int(file["lr_total_epochs"]), float(file["lr_base"])
    per_epoch = 7
    plan = Plan(batch_size=2, epochs=epochs, lr=base, schedule="cosine-epoch")
    length = Length(epochs * per_epoch, per_epoch)
    groups = [{"constant": False}, {"constant": True}]
    assert len(file["lr_epochs"])
    for epoch, expected in zip(file["lr_epochs"], file["lr_base_pred"], strict=True):
        for step in range(int(epoch) * per_epoch, (int(epoch) + 1) * per_epoch):
            set_rate(groups, plan.rate(step, length), plan.peak_lr)
            assert [group["lr"] for group in groups] == pytest.approx(list(expected), abs=1e-8)


def test_byol_rate(golden):
    file = golden("images_byol")
    plan = Plan(
        batch_size=int(file["lr_batch_size"]),
        steps=int(file["lr_total_steps"]),
        base_lr=float(file["lr_base"]),
        scaling="linear",
        schedule="cosine",
        warmup_steps=int(file["lr_warmup_steps"]),
    )
    rates = [plan.rate(int(step), Length(plan.steps, 1)) for step in file["ema_steps"]]
    torch.testing.assert_close(torch.tensor(rates), torch.tensor(file["lr_values"]).float(), rtol=0, atol=1e-6)

"""Trackers by name: unknown ones, ones whose package is missing, and those of other packages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from twofold import api
from twofold.errors import UserError
from twofold.trackers.named import OURS, maker, names_in, require

from .ledger import install


@pytest.mark.parametrize(
    ("log", "names"),
    [("none", []), ("", []), ("wandb", ["wandb"]), ("mlflow, wandb,mlflow", ["mlflow", "wandb"])],
)
def test_names_are_read_once_each(log, names):
    assert names_in(log) == names


def test_an_unknown_name_is_answered_with_the_nearest_before_anything_is_read(tmp_path):
    with pytest.raises(UserError, match=r'no tracker "wandbb"\. Did you mean "wandb"') as refused:
        api.pretrain("bpr-mf", tmp_path / "not-there.csv", log="tensorboard,wandbb")
    assert "tensorboard, wandb, mlflow" in str(refused.value)


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_said_even_where_a_folder_has_its_name(tmp_path, monkeypatch, name):
    package = f"{name}_as_it_leaves_folders"
    (tmp_path / package).mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(OURS, name, replace(OURS[name], package=package))
    with pytest.raises(UserError, match=rf'--log {name} needs the package {package}: pip install "twofold\[{name}\]"'):
        require(f"tensorboard,{name}")


def test_an_installed_package_may_offer_one(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch)
    assert type(maker("ledger")()).__name__ == "Ledger"
    with pytest.raises(UserError, match='Did you mean "ledger"'):
        require("ledge")


def test_one_that_cannot_be_loaded_is_named(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "raise RuntimeError('half a package')")
    with pytest.raises(UserError, match=r'"ledger" cannot be loaded from keeping_a_ledger:Ledger \(half a package\)'):
        require("ledger")

"""Training loops of other projects, and ours, in one form, for recommendation_vs_peers.py.

Each takes (kind "lightgcn" or "sgl", folder, data, plan, each): it trains on data.train as its project does, and calls
each(epoch, tables) after every epoch, where tables() gives the propagated embeddings of users and items in our order.
Changes to the peers: no GPU (`.cuda()` returns its object), no evaluation of their own, one thread.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

Each = Callable[[int, Callable[[], tuple[Tensor, Tensor]]], None]


@dataclass(frozen=True)
class Data:
    """Pairs, int64 (n, 2), of users 0..users - 1 and items 0..items - 1; the ids that these have in the files."""

    train: np.ndarray
    test: np.ndarray
    user_ids: list[str]
    item_ids: list[str]


@dataclass(frozen=True)
class Plan:
    """What all sides share; None leaves a value as the side has it."""

    epochs: int
    lr: float
    batch_size: int
    layers: int
    weight: float
    ratio: float
    temperature: float
    init: str
    negatives: str


def twofold(kind: str, folder: Path, data: Data, plan: Plan, each: Each) -> None:
    """Ours: batches, triples and steps as the training loop makes them."""
    from twofold.interactions.graph import Bipartite
    from twofold.interactions.methods.lightgcn import LightGCN
    from twofold.interactions.methods.sgl import SGL
    from twofold.interactions.views.triples import Triples
    from twofold.seam import Batch, Progress
    from twofold.training.optimizer import build_optimizer
    from twofold.training.plan import Plan as Training
    from twofold.training.sampler import batches

    graph = Bipartite(torch.from_numpy(data.train), len(data.user_ids), len(data.item_ids))
    if kind == "sgl":
        own = {"weight": plan.weight, "ratio": plan.ratio, "temperature": plan.temperature, "negatives": plan.negatives}
        method: LightGCN = SGL(graph, layers=plan.layers, init=plan.init, **own)
    else:
        method = LightGCN(graph, layers=plan.layers, init=plan.init)
    seed = torch.initial_seed()
    triples = Triples(*graph, sampling="user", seed=seed)
    training = Training(batch_size=plan.batch_size, epochs=1, optimizer="adam", lr=plan.lr, weight_decay=0.0)
    optimizer = build_optimizer(method, training)
    size = min(plan.batch_size, len(graph.pairs))
    steps = len(graph.pairs) // size
    for step, index in enumerate(batches(len(graph.pairs), size, seed, 0, steps * plan.epochs, 0, 1)):
        now = Progress(step, 10**6, step // steps, 1000, seed=seed)
        method.before_step(now)
        views = triples(Batch(index), now.epoch)
        method(views, now).total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if (step + 1) % steps == 0:
            each(now.epoch + 1, method.represent)


def lightgcn_pytorch(kind: str, folder: Path, data: Data, plan: Plan, each: Each) -> None:
    """LightGCN-PyTorch (gusye1234, 947ca2b) on the lastfm files that it carries, whose pairs must be data's."""
    sys.argv = [
        "main.py", "--dataset", "lastfm", "--tensorboard", "0", "--lr", str(plan.lr), "--layer", str(plan.layers),
        "--bpr_batch", str(plan.batch_size), "--epochs", str(plan.epochs),
    ]  # fmt: skip
    os.chdir(folder / "code")
    sys.path.insert(0, str(folder / "code"))
    torch.cuda.is_available = lambda: False
    import Procedure
    import register
    import utils
    import world

    method = register.MODELS["lgn"](world.config, register.dataset)
    loss = utils.BPRLoss(method, world.config)
    users, items = (torch.tensor([int(i) for i in ids]) for ids in (data.user_ids, data.item_ids))
    assert register.dataset.trainDataSize == len(data.train), "LightGCN-PyTorch's lastfm is not these pairs"

    def tables() -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            user, item = method.computer()
        return user[users], item[items]

    for epoch in range(plan.epochs):
        Procedure.BPR_train_original(register.dataset, method, loss, epoch, neg_k=1, w=None)
        each(epoch + 1, tables)


def selfrec(kind: str, folder: Path, data: Data, plan: Plan, each: Each) -> None:
    """SELFRec (Coder-Yu, 5b02294): its LightGCN, or its SGL, which contrasts users and items of a batch in one pool."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *_, **__: self
    name = {"sgl": "SGL", "lightgcn": "LightGCN"}[kind]
    (folder / "dataset" / "here").mkdir(parents=True, exist_ok=True)
    for part, pairs in (("train", data.train), ("test", data.test)):
        lines = "".join(f"{user} {item} 1\n" for user, item in pairs.tolist())
        (folder / "dataset" / "here" / f"{part}.txt").write_text(lines)
    text = re.sub(r"dataset/[^/]+/", "dataset/here/", (folder / "conf" / f"{name}.yaml").read_text())
    given = {
        "max.epoch": plan.epochs, "batch.size": plan.batch_size, "learning.rate": plan.lr, "n_layer": plan.layers,
        "lambda": plan.weight, "drop_rate": plan.ratio, "temp": plan.temperature,
    }  # fmt: skip
    for key, value in given.items():
        text = re.sub(rf"\b{re.escape(key)}: [\d.]+", f"{key}: {value}", text)
    (folder / "conf" / "here.yaml").write_text(text)
    from data.loader import FileIO
    from util.conf import ModelConf

    conf = ModelConf("conf/here.yaml")
    parts = [FileIO.load_data_set(conf[f"{part}.set"], "graph") for part in ("training", "test")]
    method = getattr(__import__(f"model.graph.{name}", fromlist=[name]), name)(conf, *parts)
    method.fast_evaluation = lambda epoch: None
    method.best_user_emb = method.best_item_emb = None

    def tables() -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            found = method.model()
        wide = []
        for rows, places, size in zip(
            found, (method.data.user, method.data.item), (len(data.user_ids), len(data.item_ids)), strict=True
        ):
            wide.append(torch.zeros(size, rows.shape[1]))
            wide[-1][torch.tensor([int(key) for key in places])] = rows[torch.tensor(list(places.values()))]
        return wide[0], wide[1]

    # Its loop reports nothing by epoch: the draw of an epoch's batches, in the loop's module, is where one begins.
    module = sys.modules[type(method).__module__]
    draw, begun = module.next_batch_pairwise, [0]

    def watched(*given: object) -> object:
        if begun[0]:
            each(begun[0], tables)
        begun[0] += 1
        return draw(*given)

    module.next_batch_pairwise = watched
    method.train()
    each(begun[0], tables)


def recbole(kind: str, folder: Path, data: Data, plan: Plan, each: Each) -> None:
    """RecBole 1.2.1: LightGCN, or SGL, which contrasts with all users and items."""
    name = {"sgl": "SGL", "lightgcn": "LightGCN"}[kind]
    home = folder / "here"
    home.mkdir(parents=True, exist_ok=True)
    for part, pairs in (("train", data.train), ("valid", data.test), ("test", data.test)):
        lines = "".join(f"{user}\t{item}\n" for user, item in pairs.tolist())
        (home / f"here.{part}.inter").write_text("user_id:token\titem_id:token\n" + lines)
    os.chdir(folder)
    sys.argv = sys.argv[:1]
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    config = Config(
        model=name,
        dataset="here",
        config_dict={
            "data_path": str(folder), "benchmark_filename": ["train", "valid", "test"], "use_gpu": False,
            "load_col": {"inter": ["user_id", "item_id"]}, "n_layers": plan.layers, "learning_rate": plan.lr,
            "train_batch_size": plan.batch_size, "epochs": plan.epochs, "reg_weight": 1e-4, "ssl_tau": plan.temperature,
            "ssl_weight": plan.weight, "drop_ratio": plan.ratio, "embedding_size": 64, "show_progress": False,
        },
    )  # fmt: skip
    init_seed(config["seed"], config["reproducibility"])
    dataset = create_dataset(config)
    batches = data_preparation(config, dataset)[0]
    method = get_model(name)(config, batches.dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], name)(config, method)

    def tables() -> tuple[Tensor, Tensor]:
        method.eval()
        with torch.no_grad():
            found = method.forward(method.train_graph) if kind == "sgl" else method.forward()
        wide = []
        for rows, field, size in zip(
            found, ("user_id", "item_id"), (len(data.user_ids), len(data.item_ids)), strict=True
        ):
            known = [(int(token), row) for token, row in dataset.field2token_id[field].items() if token != "[PAD]"]
            wide.append(torch.zeros(size, rows.shape[1]))
            wide[-1][torch.tensor([own for own, _ in known])] = rows[torch.tensor([row for _, row in known])]
        return wide[0], wide[1]

    for epoch in range(plan.epochs):
        trainer._train_epoch(batches, epoch)
        each(epoch + 1, tables)


SIDES = {"twofold": twofold, "lightgcn-pytorch": lightgcn_pytorch, "selfrec": selfrec, "recbole": recbole}

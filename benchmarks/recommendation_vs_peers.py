"""recommendation_vs_peers.py DATA OUT.json --lightgcn-pytorch DIR --selfrec DIR --peer-python PYTHON: one epoch's cost.

CPU seconds of a training epoch, evaluation left out, on a folder of train.txt.gz and test.txt.gz (one line a user): of
ours and, from clones of their repositories, of LightGCN-PyTorch (on lastfm, whose files it carries) and SELFRec's
LightGCN and SGL, all with 64 columns, 3 layers, batches of 2048, one thread, in rounds, each in a process of its own.
Changes to the peers: no GPU (`.cuda()` returns its object), no evaluation. SGL contrasts within the batch in both.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

EPOCHS = 4


def ours(kind: str, data: Path) -> float:
    """CPU seconds an epoch of our method, batches and steps as the training loop makes them."""
    import torch

    from twofold.interactions.graph import Bipartite
    from twofold.interactions.methods.lightgcn import LightGCN
    from twofold.interactions.methods.sgl import SGL
    from twofold.interactions.reading.splits import open_interactions
    from twofold.interactions.views.triples import Triples
    from twofold.method import Progress
    from twofold.training.optimiser import build_optimiser
    from twofold.training.plan import Plan
    from twofold.training.sampler import batches
    from twofold.views import Batch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    held = open_interactions(str(data), valid_share=0.0)
    graph = Bipartite(torch.from_numpy(held.train), held.users, held.items)
    method = SGL(graph, negatives="batch") if kind == "sgl" else LightGCN(graph)
    triples = Triples(*graph, sampling="user", seed=0)
    optimiser = build_optimiser(method, Plan(batch_size=2048, epochs=1, optimiser="adam", lr=5e-3, weight_decay=0.0))
    steps = len(graph.pairs) // 2048
    began = 0.0
    for step, index in enumerate(batches(len(graph.pairs), 2048, 0, 0, steps * (EPOCHS + 1), 0, 1)):
        if step == steps:
            began = time.process_time()  # after an epoch to warm up
        now = Progress(step, 10**6, step // steps, 1000)
        method.before_step(now)
        views = triples(Batch(torch.empty(0), torch.empty(0), index), now.epoch)
        method(views, now).total.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    return (time.process_time() - began) / EPOCHS


def lightgcn_pytorch(folder: Path) -> float:
    """CPU seconds an epoch of LightGCN-PyTorch on its lastfm files."""
    sys.argv = ["main.py", "--dataset", "lastfm", "--tensorboard", "0", "--lr", "0.005", "--epochs", str(EPOCHS)]
    os.chdir(folder / "code")
    sys.path.insert(0, str(folder / "code"))
    import torch

    torch.set_num_threads(1)
    torch.cuda.is_available = lambda: False
    import Procedure
    import register
    import utils
    import world

    method = register.MODELS["lgn"](world.config, register.dataset)
    loss = utils.BPRLoss(method, world.config)
    Procedure.BPR_train_original(register.dataset, method, loss, 0, neg_k=1, w=None)
    began = time.process_time()
    for epoch in range(EPOCHS):
        Procedure.BPR_train_original(register.dataset, method, loss, epoch, neg_k=1, w=None)
    return (time.process_time() - began) / EPOCHS


def selfrec(kind: str, folder: Path, data: Path) -> float:
    """CPU seconds an epoch of SELFRec's LightGCN or SGL, by the difference of a long and a short training."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    import torch

    torch.set_num_threads(1)
    torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *_, **__: self
    name = {"sgl": "SGL", "lightgcn": "LightGCN"}[kind]
    (folder / "dataset" / "here").mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        with gzip.open(data / f"{part}.txt.gz", "rt") as lines:
            rows = [(user, item) for user, *items in map(str.split, lines) for item in items]
        (folder / "dataset" / "here" / f"{part}.txt").write_text("".join(f"{u} {i} 1\n" for u, i in rows))
    text = re.sub(r"dataset/[^/]+/", "dataset/here/", (folder / "conf" / f"{name}.yaml").read_text())
    for key, value in (("max.epoch", EPOCHS), ("batch.size", 2048), ("learning.rate", 0.005), ("n_layer", 3)):
        text = re.sub(rf"{re.escape(key)}: [\d.]+", f"{key}: {value}", text)
    (folder / "conf" / "here.yaml").write_text(text)
    from data.loader import FileIO
    from util.conf import ModelConf

    conf = ModelConf("conf/here.yaml")
    parts = [FileIO.load_data_set(conf[f"{part}.set"], "graph") for part in ("training", "test")]
    method = getattr(__import__(f"model.graph.{name}", fromlist=[name]), name)(conf, *parts)
    method.fast_evaluation = lambda epoch: None
    method.best_user_emb = method.best_item_emb = None
    began = time.process_time()
    method.train()
    return (time.process_time() - began) / EPOCHS


def main() -> None:
    """Measure in rounds, write OUT.json, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lightgcn-pytorch", type=Path)
    parser.add_argument("--selfrec", type=Path)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help="measure this alone, in this process")
    options = parser.parse_args()
    if options.one:
        who, _, kind = options.one.partition(":")
        if who == "ours":
            found = ours(kind, options.data)
        else:
            found = selfrec(kind, options.selfrec, options.data) if kind else lightgcn_pytorch(options.lightgcn_pytorch)
        print(json.dumps(found))
        return
    jobs = ["ours:lightgcn", "ours:sgl"]
    jobs += ["lightgcn-pytorch"] if options.lightgcn_pytorch else []
    jobs += ["selfrec:lightgcn", "selfrec:sgl"] if options.selfrec else []
    found: dict[str, list[float]] = {job: [] for job in jobs}
    for _ in range(options.rounds):
        for job in jobs:
            python = sys.executable if job.startswith("ours") else options.peer_python
            given = [str(options.data.resolve()), str(options.out), "--one", job]
            for name in ("lightgcn_pytorch", "selfrec"):
                folder = getattr(options, name)
                given += [f"--{name.replace('_', '-')}", str(folder.resolve())] if folder else []
            told = subprocess.run([python, __file__, *given], check=True, capture_output=True, text=True).stdout
            found[job].append(float(told.splitlines()[-1]))
    about = {
        "command": " ".join(sys.argv), "date": datetime.date.today().isoformat(), "machine": platform.platform(),
    }  # fmt: skip
    options.out.write_text(json.dumps({**about, "cpu_seconds_an_epoch": found}, indent=1) + "\n")
    print("| | CPU s an epoch | times ours |\n|---|---|---|")
    for job, values in found.items():
        own = found["ours:sgl" if job.endswith("sgl") else "ours:lightgcn"]
        ratio = statistics.median(value / mine for value, mine in zip(values, own, strict=True))
        print(f"| {job} | {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f}) | {ratio:.1f} |")


if __name__ == "__main__":
    main()

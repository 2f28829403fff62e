"""additions.py OUT.json: what each addition costs in time and memory against its base, beside it in rounds.

Every measurement is a process of its own, one thread, on random images that are in memory already: the step alone
(student, teacher, losses, backward, optimizer, after_step), in seconds of CPU, and the most memory that the process
held less what it held before the first step. The table gives medians over the rounds of the ratio to the base of the
same round.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CASES = {
    "moco": [
        "moco+mochi", "moco+co2", "moco+tkc[tkc.interval=0.02]", "moco+unmix", "moco+mochi+co2", "moco+unmix+mochi",
    ],
    "moco[queue=65536]": ["moco+mochi[queue=65536,mochi.hardest=1024,mochi.mixed=512,mochi.with_query=256]"],
    "simclr": ["simclr+co2", "simclr+unmix", "wmse", "wmse4"],
    "simsiam": ["simsiam+mixsiam"],
    "byol": ["byol+tkc[tkc.interval=0.02]", "byol+unmix"],
}  # fmt: skip


def one(name: str, options: argparse.Namespace) -> dict[str, float]:
    """Median CPU seconds of a step, and MiB of memory, of one method in this process."""
    import torch

    from twofold.images.backbones import build_backbone
    from twofold.methods.build import build
    from twofold.seam import Progress, Situation, Views
    from twofold.training.optimizer import build_optimizer
    from twofold.training.plan import Plan
    from twofold.wings import composed

    torch.set_num_threads(1)
    torch.manual_seed(0)
    plain, _, given = name.rstrip("]").partition("[")
    settings = dict(pair.split("=") for pair in given.split(",")) if given else {}
    composition = composed(plain).on("images")
    backbone = build_backbone(options.backbone, image_size=options.image_size, stem="imagenet")
    batch, steps = options.batch_size, 1000
    situation = Situation(100 * batch * 4, batch, 1, steps)
    if composition.base.endswith("MoCo"):
        settings = {"queue": "4096", **settings}
    method, _ = build(composition, backbone, situation, composition.recipes["cifar"], settings)
    method = method.to(memory_format=torch.channels_last)
    optimizer = build_optimizer(method, Plan(batch_size=batch, steps=steps, lr=0.01))
    drawn = [torch.randn(batch, 3, options.image_size, options.image_size) for _ in range(method.view_count)]
    shown = [view.contiguous(memory_format=torch.channels_last) for view in drawn]
    before, times = _peak(), []
    for step in range(100, 100 + options.steps + 2):
        now = Progress(step, steps, step // 10, steps // 10)
        began = time.process_time()
        method.before_step(now)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            losses = method(Views(list(shown), [], torch.arange(batch) + step * batch), now)
        losses.total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        method.after_step(now)
        times.append(time.process_time() - began)
    return {"seconds": statistics.median(times[2:]), "mib": _peak() - before}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure in rounds, write OUT.json, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--precision", default="bf16", choices=["bf16", "fp32"])
    parser.add_argument("--one", help="measure this method alone, in this process")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, options)))
        return
    found: dict[str, list[dict[str, float]]] = {}
    shape = ["--steps", "--batch-size", "--image-size", "--backbone", "--precision"]
    same = [part for name in shape for part in (name, str(vars(options)[name[2:].replace("-", "_")]))]
    for _ in range(options.rounds):
        for base, others in CASES.items():
            for name in (base, *others):
                command = [sys.executable, __file__, str(options.out), "--one", name, *same]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                found.setdefault(name, []).append(json.loads(output.splitlines()[-1]))
    rows: list[dict[str, Any]] = []
    for base, others in CASES.items():
        for name in (base, *others):
            pairs = list(zip(found[name], found[base], strict=True))
            rows.append(
                {
                    "method": name,
                    "base": base,
                    "ms_per_step": 1000 * statistics.median(own["seconds"] for own, _ in pairs),
                    "time_ratios": [own["seconds"] / theirs["seconds"] for own, theirs in pairs],
                    "mib": statistics.median(own["mib"] for own, _ in pairs),
                    "memory_ratio": statistics.median(own["mib"] / theirs["mib"] for own, theirs in pairs),
                }
            )
    about = {
        "command": " ".join(sys.argv),
        "date": datetime.date.today().isoformat(),
        "machine": platform.platform(),
        "settings": {k: str(v) for k, v in vars(options).items() if k not in ("out", "one")},
    }
    options.out.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")
    print("| method | against | ms a step | time | of rounds | memory |\n|---|---|---|---|---|---|")
    for row in rows:
        ratios = row["time_ratios"]
        print(
            f"| `{row['method']}` | `{row['base']}` | {row['ms_per_step']:.0f} | {statistics.median(ratios):.2f} | "
            f"{min(ratios):.2f} to {max(ratios):.2f} | {row['memory_ratio']:.2f} |"
        )


if __name__ == "__main__":
    main()

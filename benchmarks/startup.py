"""startup.py: CPU seconds of `import twofold`, `--help`, a typo, and from the command to the first training step.

The first step is watched from inside: torch's global hooks note the process's CPU time when a module in training first
goes forward and when an optimizer first ends its step. Medians of ROUNDS runs; the first of each is not counted (it
fills the disk cache).
"""

from __future__ import annotations

import argparse
import json
import statistics

import measure

# Runs the command line as `twofold` does, with a note at the first forward pass and at the end of the first step.
WATCH = """
import json, resource, sys, time
began = time.time()
def spent():
    r = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in r)
notes = {}
def note(key):
    notes.setdefault(key, {"cpu_s": round(spent(), 3), "wall_s": round(time.time() - began, 3)})
def watch():
    import torch
    from torch.nn.modules.module import register_module_forward_pre_hook
    from torch.optim.optimizer import register_optimizer_step_post_hook
    note("torch imported")
    register_module_forward_pre_hook(
        lambda m, x: note("first forward") if m.training and torch.is_grad_enabled() else None)
    register_optimizer_step_post_hook(lambda *a: note("first step done"))
watch()
from twofold.cli import main
sys.argv[0] = "twofold"
try:
    code = main() or 0
except SystemExit as end:
    code = end.code or 0
print("NOTES " + json.dumps(notes))
sys.exit(code)
"""


def commands() -> dict[str, tuple[list[str], int]]:
    """What is measured, and the exit code each must have."""
    twofold, python = str(measure.TWOFOLD), str(measure.OURS)
    data = str(measure.photos())
    pretrain = [twofold, "pretrain", "simclr", data, "--out", str(measure.WORK / "startup")]
    return {
        "python -c pass": ([python, "-c", "pass"], 0),
        "import torch": ([python, "-c", "import torch"], 0),
        "import twofold": ([python, "-c", "import twofold"], 0),
        "twofold --help": ([twofold, "--help"], 0),
        "twofold pretrain --help": ([twofold, "pretrain", "--help"], 0),
        "twofold methods": ([twofold, "methods"], 0),
        "typo in an option": ([*pretrain, "--bach-size", "64"], 2),
        "typo in the verb": ([twofold, "pretrian", "simclr", data], 2),
        "typo in the method": ([twofold, "pretrain", "simclrr", data, "--out", str(measure.WORK / "startup")], 2),
        "no such folder": ([twofold, "pretrain", "simclr", "no/such/folder", "--out", str(measure.WORK / "x")], 2),
    }


def first_step() -> dict[str, dict[str, float]]:
    """One run of two steps, watched."""
    out = measure.fresh("startup")
    settings = ["--backbone", "resnet18", "--image-size", "64", "--batch-size", "128", "--steps", "2"]
    command = [
        str(measure.OURS),
        "-c",
        WATCH,
        "pretrain",
        "simclr",
        str(measure.photos()),
        "--out",
        str(out),
        *settings,
    ]
    cost = measure.must([*command, "--stem", "imagenet"])
    line = next(ln for ln in cost.output.splitlines() if ln.startswith("NOTES "))
    return json.loads(line.removeprefix("NOTES ")) | {"whole run of two steps": {"cpu_s": cost.cpu_s}}


def main() -> None:
    """Measure, print a table, write benchmarks/results/startup.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    cpu: dict[str, list[float]] = {}
    for name, (command, code) in commands().items():
        measure.quiet()
        costs = [measure.run(command) for _ in range(rounds + 1)]
        if costs[0].code != code:
            print(f"{name}: exit code {costs[0].code}, not {code}:\n{costs[0].output[-500:]}")
        cpu[name] = [round(c.cpu_s, 3) for c in costs[1:]]
    for notes in [first_step() for _ in range(rounds + 1)][1:]:
        for name, row in notes.items():
            cpu.setdefault(f"pretrain: {name}", []).append(round(row["cpu_s"], 3))
    print("| what | CPU-s, median | least |\n|---|---|---|")
    for name, values in cpu.items():
        print(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} |")
    median = {name: round(statistics.median(values), 3) for name, values in cpu.items()}
    measure.write("startup", {"rounds": rounds, "median_cpu_s": median, "cpu_s": cpu})


if __name__ == "__main__":
    main()

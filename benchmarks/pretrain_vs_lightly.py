"""pretrain_vs_lightly.py [simclr moco]: CPU-ms per image of whole training processes, ours and lightly's in turn.

Both train torchvision's ResNet-18 on the same 2,048 JPEGs (96..256 px sides) at 64 px, batch 128, on the CPU. Each side
runs a SHORT and a LONG process in every round; their difference is the cost of the steps between, so start-up, export
and report cancel. The cost of the whole LONG process is written beside it. lightly's side measures no kNN and writes no
report, so ours does neither; a third side, ours in float32, tells how much of the ratio is the number format, and a
fourth is the command as a user types it. CPU seconds count user and system time of a process with all its children.

Check: `make peers .venv/.ready-demo && .venv/bin/python benchmarks/pretrain_vs_lightly.py`, nothing else running.
"""

from __future__ import annotations

import argparse
import statistics

import measure

SIZE, BATCH, QUEUE = 64, 128, 4096


def lightly(method: str, steps: int) -> list[str]:
    """lightly's side: benchmarks/lightly_bench.py."""
    script = [str(measure.PEERS), "benchmarks/lightly_bench.py", method, str(measure.photos())]
    return [*script, "--size", str(SIZE), "--batch", str(BATCH), "--steps", str(steps)]


def twofold(method: str, steps: int, *more: str) -> list[str]:
    """Our side: the command a user types, into a folder of its own."""
    command = [str(measure.TWOFOLD), "pretrain", method, str(measure.photos()), "--out", str(measure.fresh("run"))]
    command += ["--backbone", "resnet18", "--image-size", str(SIZE), "--batch-size", str(BATCH), "--steps", str(steps)]
    # The unchanged ImageNet stem, as lightly's side has it.
    command += ["--stem", "imagenet", *more]
    return command + (["--method.queue", str(QUEUE)] if method == "moco" else [])


ALONE = ("--knn-every", "0", "--correspondence-every", "0", "--no-report")
SIDES = {
    "lightly": lightly,
    "twofold": lambda method, steps: twofold(method, steps, *ALONE),
    "twofold fp32": lambda method, steps: twofold(method, steps, *ALONE, "--precision", "fp32"),
    "twofold with kNN and report": twofold,
}


def compare(method: str, rounds: int, short: int, long: int, patience: float) -> dict:
    """All sides of one method, side after side in every round."""
    runs: dict[str, list[dict]] = {side: [] for side in SIDES}
    for number in range(rounds):
        for side, command in SIDES.items():
            measure.quiet(patience)
            few = measure.must(command(method, short))
            many = measure.must(command(method, long))
            row = {
                "cpu_ms_per_image": (many.cpu_s - few.cpu_s) / ((long - short) * BATCH) * 1e3,
                "wall_ms_per_image": (many.wall_s - few.wall_s) / ((long - short) * BATCH) * 1e3,
                "whole_cpu_s": many.cpu_s,
                "short_cpu_s": few.cpu_s,
                "peak_mb": many.peak_mb,
                "others": max(few.others, many.others),
            }
            runs[side].append({k: round(v, 3) for k, v in row.items()})
            print(f"{method} round {number + 1}, {side}: {row['cpu_ms_per_image']:.2f} CPU-ms per image", flush=True)
    middle = {
        side: {k: round(statistics.median(r[k] for r in rows), 3) for k in rows[0]} for side, rows in runs.items()
    }
    ratios = {
        side: {k: round(middle[side][k] / middle["lightly"][k], 3) for k in ("cpu_ms_per_image", "whole_cpu_s")}
        for side in SIDES
        if side != "lightly"
    }
    commands = {side: " ".join(command(method, long)) for side, command in SIDES.items()}
    return {"commands": commands, "median": middle, "ratio_to_lightly": ratios, "runs": runs}


def main() -> None:
    """Compare, print a table, write benchmarks/results/pretrain_vs_lightly.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", default=["simclr", "moco"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of OpenMP, for every side; the library's choice where not given")
    parser.add_argument("--patience", type=float, default=120, help="seconds to wait for a quiet machine, each time")
    parser.add_argument("--short", type=int, default=2)
    parser.add_argument("--long", type=int, default=18, help="2,048 images are 16 steps")
    args = parser.parse_args()
    if args.threads:
        measure.ENVIRONMENT["OMP_NUM_THREADS"] = str(args.threads)
    found = {m: compare(m, args.rounds, args.short, args.long, args.patience) for m in args.methods}
    print("| method | side | CPU-ms per image | whole process, CPU-s | ratio to lightly |\n|---|---|---|---|---|")
    for method, result in found.items():
        for side, row in result["median"].items():
            ratio = result["ratio_to_lightly"].get(side, {}).get("cpu_ms_per_image", 1)
            print(f"| {method} | {side} | {row['cpu_ms_per_image']:.2f} | {row['whole_cpu_s']:.1f} | {ratio:.2f} |")
    measure.write("pretrain_vs_lightly", {"rounds": args.rounds, "steps": [args.short, args.long], "results": found})


if __name__ == "__main__":
    main()

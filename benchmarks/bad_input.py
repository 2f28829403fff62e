"""bad_input.py [WORD ...]: what twofold says to broken data and wrong settings, as a table, and whether it should.

Every row runs the command as a user would (`pretrain`, and `check` on data) and compares the exit code with the one
due: 0 done (with the trouble counted and named), 2 the user's mistake. A traceback, a run killed by its time limit, or
a data error that does not name the file is a fault whatever the code. The table shows the line that names the
trouble, the last one where none does. WORDs choose the rows that contain one of them. Ends with exit code 1 if a row
has a fault.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

import measure

BAD = measure.WORK / "bad"
NETWORK = ["--backbone", "convnet", "--image-size", "32"]
SMALL = [*NETWORK, "--batch-size", "16", "--epochs", "1"]


@dataclass
class Case:
    """One row. due: the exit code to have; names: words that the output must contain."""

    what: str
    command: list[str]
    due: int
    names: tuple[str, ...] = ()


def pretrain(data: str, *more: str, method: str = "simclr", settings: list[str] = SMALL, out: str = "") -> list[str]:
    """A small run on a data set below BAD (or any path with a slash at its front or a scheme)."""
    where = data if data.startswith(("/", "s3:", "nowhere:")) else str(BAD / data)
    command = [str(measure.TWOFOLD), "pretrain", method, where, "--out", out or str(measure.WORK / "bad-run")]
    return [*command, *settings, *more]


DATA: list[tuple[str, str, int, tuple[str, ...]]] = [
    ("empty folder", "empty", 2, ("empty",)),
    ("folder with only a .txt", "no-images", 2, ("no-images",)),
    ("folder missing", "missing", 2, ("missing",)),
    ("one truncated JPEG of 64", "truncated", 0, ("zz_cut.jpg",)),
    ("one zero-byte .jpg of 64", "zero-byte", 0, ("zz_zero.jpg",)),
    ("one text file named .jpg", "text-named-jpg", 0, ("zz_text.jpg",)),
    ("one PNG that claims 60000x60000 px", "bomb", 0, ("zz_bomb.png",)),
    ("one dangling link", "dangling-link", 0, ("broken links 1",)),
    ("one folder named .jpg", "folder-named-jpg", 0, ()),
    ("half of 64 files zero-byte", "half-broken", 2, (".jpg",)),
    ("all 64 files broken", "all-broken", 2, (".jpg",)),
    ("64 equal images", "all-equal", 0, ()),
    ("4x4 and 1x1 px images", "tiny", 0, ("smaller",)),
    ("one image of 4000x3 px", "extreme-shape", 0, ("smaller",)),
    ("grey, RGBA, CMYK, GIF, 16-bit, 1-bit, LA, .JPG", "modes", 0, ()),
    ("parquet without an image column", "no-image-column.parquet", 2, ("no-image-column.parquet",)),
    ("parquet of nulls", "null-images.parquet", 2, ("null-images.parquet",)),
    ("broken parquet", "cut.parquet", 2, ("cut.parquet",)),
    ("list with one missing file of 61", "list.txt", 0, ("missing.jpg",)),
    ("empty list", "empty.txt", 2, ("empty.txt",)),
    ("npz of pickled objects", "objects.npz", 2, ("objects.npz",)),
    ("npz of NaN, not images", "floats.npz", 2, ("floats.npz",)),
    ("tar cut in the middle", "cut.tar", 2, ("cut.tar",)),
    ("a file of no known kind", "word.docx", 2, ("word.docx",)),
    ("URL of an unknown scheme", "nowhere://bucket/photos", 2, ("nowhere",)),
]


def settings() -> list[Case]:
    """Wrong settings on good data."""
    plain = NETWORK

    def row(what: str, due: int, names: tuple[str, ...], *more: str, base: list[str] = SMALL) -> Case:
        return Case(what, pretrain("ok", *more, settings=base), due, names)

    return [
        Case("10 images, batch 16", pretrain("ten"), 2, ("10",)),
        Case("one image", pretrain("one"), 2, ("1",)),
        row("batch size 1", 2, ("batch",), "--batch-size", "1", base=[*plain, "--epochs", "1"]),
        row("batch size 0", 2, ("batch",), "--batch-size", "0", base=[*plain, "--epochs", "1"]),
        row("batch 512 of 64 images", 2, ("64",), "--batch-size", "512", base=[*plain, "--epochs", "1"]),
        row("mistyped option", 2, ("--batch-size",), "--bach-size", "16", base=plain),
        row("mistyped method option", 2, ("temperature",), "--method.temprature", "0.1"),
        row("batch size not a number", 2, ("many",), "--batch-size", "many", base=plain),
        Case("unknown method", pretrain("ok", method="simclrr"), 2, ("simclr",)),
        Case("unknown addition", pretrain("ok", method="moco+co3"), 2, ("co2",)),
        Case("method of a module that is not there", pretrain("ok", method="nopackage.Nothing"), 2, ("nopackage",)),
        Case("mistyped verb", [str(measure.TWOFOLD), "pretrian"], 2, ("pretrain",)),
        Case("no verb: the overview", [str(measure.TWOFOLD)], 0, ("pretrain",)),
        Case("no data", [str(measure.TWOFOLD), "pretrain", "simclr"], 2, ()),
        row("unknown backbone", 2, ("resnet18",), "--backbone", "resnet19", base=SMALL[2:]),
        row("zero epochs", 2, ("epochs",), "--epochs", "0", base=[*plain, "--batch-size", "16"]),
        row("zero steps", 2, ("steps",), "--steps", "0", base=[*plain, "--batch-size", "16"]),
        row("steps and epochs at once", 2, ("steps", "epochs"), "--steps", "3"),
        row("image size 0", 2, ("image",), "--image-size", "0", base=["--backbone", "convnet", *SMALL[4:]]),
        row("unknown precision", 2, ("bf16",), "--precision", "fp17"),
        row("temperature 0", 2, ("temperature",), "--method.temperature", "0"),
        row("learning rate 1e30", 2, ("loss",), "--lr", "1e30"),
        row("config missing", 2, ("nothere.yaml",), "--config", "nothere.yaml"),
        row("config that is not YAML", 2, ("bad.yaml",), "--config", str(BAD / "bad.yaml")),
        row("config with an unknown key", 2, ("batch_size",), "--config", str(BAD / "unknown.yaml"), base=plain),
        row("config with a wrong type", 2, ("many",), "--config", str(BAD / "wrong-type.yaml"), base=plain),
        row("validation data missing", 2, ("nowhere",), "--val", "nowhere"),
        Case("--out is a file", pretrain("ok", out="README.md"), 2, ("README.md",)),
        Case("--out cannot be written", pretrain("ok", out="/proc/run"), 2, ("/proc/run",)),
        Case("--out used by another run", pretrain("ok", method="byol", out=str(measure.WORK / "used")), 2, ("used",)),
        Case("evaluate: no such run", [str(measure.TWOFOLD), "evaluate", "norun", str(BAD / "ok")], 2, ("norun",)),
        Case("export: no such run", [str(measure.TWOFOLD), "export", "norun"], 2, ("norun",)),
        Case("report: no such run", [str(measure.TWOFOLD), "report", "norun"], 2, ("norun",)),
        Case("embed: no such run", [str(measure.TWOFOLD), "embed", "norun", str(BAD / "ok")], 2, ("norun",)),
    ]


def cases() -> list[Case]:
    """All rows."""
    rows = [Case(what, pretrain(data), due, names) for what, data, due, names in DATA]
    rows += [
        Case(f"check: {what}", [str(measure.TWOFOLD), "check", *pretrain(data)[3:4]], due, names)
        for what, data, due, names in DATA
    ]
    return rows + settings()


def plain(text: str) -> list[str]:
    """The lines of a terminal's text without its control sequences, empty lines and progress that was overwritten."""
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n").split("\n")
    return [ln.split("\r")[-1].rstrip() for ln in lines if ln.split("\r")[-1].strip()]


def judge(case: Case, cost: measure.Cost) -> list[str]:
    """What is wrong with the answer."""
    text, faults = " ".join(plain(cost.output)), []
    if cost.code != case.due:
        faults.append(f"code {case.due} is due")
    if "Traceback" in text:
        faults.append("traceback")
    faults += [f'does not say "{name}"' for name in case.names if name.lower() not in text.lower()]
    return faults


def main(words: list[str]) -> None:
    """Run the rows, print the table, write benchmarks/results/bad_input.json."""
    measure.ENVIRONMENT["OMP_NUM_THREADS"] = "1"  # the runs are tiny
    # The environment of the measured command makes the files: the peers' lacks pyarrow.
    measure.must([str(measure.OURS), "benchmarks/make_bad.py", str(measure.photos()), str(BAD)])
    measure.must(pretrain("ok", out=str(measure.fresh("used"))))
    print("| case | exit code | said | fault |\n|---|---|---|---|", flush=True)
    rows = []
    for case in cases():
        if words and not any(word in case.what for word in words):
            continue
        measure.fresh("bad-run")
        cost = measure.run(case.command, timeout=120)
        faults, lines = judge(case, cost), plain(cost.output)
        told = [ln for ln in lines if any(name.lower() in ln.lower() for name in case.names)] if cost.code == 0 else []
        said = [*lines, *told][-1].strip().replace("|", "\\|") if lines else ""
        print(f"| {case.what} | {cost.code} | {said} | {'; '.join(faults)} |", flush=True)
        rows.append({"case": case.what, "command": " ".join(case.command), "code": cost.code, "said": said})
        rows[-1] |= {"faults": faults, "cpu_s": round(cost.cpu_s, 2)}
    if not words:
        here = str(measure.ROOT)
        rows = [{k: v.replace(here, ".") if isinstance(v, str) else v for k, v in row.items()} for row in rows]
        measure.write("bad_input", {"rows": rows})
    faulty = [row["case"] for row in rows if row["faults"]]
    if faulty:
        sys.exit(f"{len(faulty)} of {len(rows)} rows at fault: {', '.join(faulty)}")


if __name__ == "__main__":
    main(sys.argv[1:])

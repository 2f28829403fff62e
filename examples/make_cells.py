"""make_cells.py BCCD_FOLDER OUT: cut single blood cells out of BCCD's photographs.

BCCD_FOLDER holds, for each of train, val and test, SPLIT.parquet (columns `image`: encoded bytes, `name`) and
instances_SPLIT.json (boxes in COCO's layout; an image's id is its row in the parquet file). OUT receives one parquet
file a split and classes.txt. The same input gives the same bytes wherever Pillow and pyarrow are the same.

Every white cell and platelet is taken; red cells, of which there are eleven times as many, are thinned evenly so that
the three splits together hold TOTAL crops. A crop is a square around the box, MARGIN wider than its longer side, moved
(never padded) where it would leave the photograph, and resized to SIZE pixels.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

SIZE, MARGIN, TOTAL, QUALITY = 64, 1.0, 1400, 90
SMALLEST = 12  # pixels; a box narrower than this is an annotation slip, not a cell
CLASSES = ["RBC", "WBC", "Platelets"]
SPLITS = ["train", "val", "test"]

Box = tuple[float, float, float, float]


def square(box: Box, width: int, height: int) -> tuple[int, int, int]:
    """Left, top and side of the crop around a box (x, y, w, h), inside a photograph of this size."""
    x, y, w, h = box
    side = min(round(max(w, h) * (1 + MARGIN)), width, height)
    left = min(max(round(x + w / 2 - side / 2), 0), width - side)
    top = min(max(round(y + h / 2 - side / 2), 0), height - side)
    return left, top, side


def clear_red_cell(box: Box, others: list[Box], width: int, height: int) -> bool:
    """Whether a red cell lies whole in the photograph and no cell of another class sits in its crop."""
    x, y, w, h = box
    room = max(w, h) * (1 + MARGIN) / 2
    whole = room <= x + w / 2 <= width - room and room <= y + h / 2 <= height - room
    left, top, side = square(box, width, height)
    alone = all(
        not (left <= ox + ow / 2 <= left + side and top <= oy + oh / 2 <= top + side) for ox, oy, ow, oh in others
    )
    return whole and alone


def candidates(folder: Path, split: str) -> dict[str, list[tuple[int, Box]]]:
    """For each class, the (photograph, box) pairs that a crop may be cut from, in the annotation's order."""
    coco = json.loads((folder / f"instances_{split}.json").read_text())
    names = {c["id"]: c["name"] for c in coco["categories"]}
    sizes = {i["id"]: (i["width"], i["height"]) for i in coco["images"]}
    cells = [(a["image_id"], tuple(a["bbox"]), names[a["category_id"]]) for a in coco["annotations"]]
    found: dict[str, list[tuple[int, Box]]] = {c: [] for c in CLASSES}
    for photo, box, name in cells:
        if min(box[2:]) < SMALLEST:
            continue
        others = [b for p, b, n in cells if p == photo and n != "RBC"]
        if name != "RBC" or clear_red_cell(box, others, *sizes[photo]):
            found[name].append((photo, box))
    return found


def thin(items: list, count: int) -> list:
    """`count` of the items, evenly spaced (all of them where there are not more)."""
    return items if count >= len(items) else [items[i * len(items) // count] for i in range(count)]


def interleave(groups: list[list]) -> list:
    """All items of all groups, each group spread evenly, so that every prefix holds the same mixture."""
    placed = [((i + 0.5) / len(g), k, item) for k, g in enumerate(groups) for i, item in enumerate(g)]
    return [item for _, _, item in sorted(placed, key=lambda row: row[:2])]


def crop(photo: Image.Image, box: Box) -> bytes:
    """The cell as a JPEG file of SIZE x SIZE pixels."""
    left, top, side = square(box, photo.width, photo.height)
    cell = photo.crop((left, top, left + side, top + side)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    cell.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()


def write(folder: Path, split: str, chosen: dict[str, list[tuple[int, Box]]], out: Path) -> None:
    """Write one split: columns image {bytes, path} and label, with the class names in the schema."""
    photos = pq.read_table(folder / f"{split}.parquet").to_pydict()
    rows = interleave([[(CLASSES.index(c), n, *cell) for n, cell in enumerate(chosen[c])] for c in CLASSES])
    images, labels = [], []
    for label, number, photo, box in rows:
        picture = Image.open(io.BytesIO(photos["image"][photo])).convert("RGB")
        name = f"{CLASSES[label]}/{Path(photos['name'][photo]).stem}_{number:04d}.jpg"
        images.append({"bytes": crop(picture, box), "path": name})
        labels.append(label)
    # The description that the `datasets` library reads class names from.
    features = {"image": {"_type": "Image"}, "label": {"names": CLASSES, "_type": "ClassLabel"}}
    schema = pa.schema(
        {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "label": pa.int64()},
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    pq.write_table(pa.table({"image": images, "label": labels}, schema=schema), out / f"{split}.parquet")


def main(folder: Path, out: Path) -> None:
    """Choose the cells of the three splits and write them."""
    out.mkdir(parents=True, exist_ok=True)
    found = {split: candidates(folder, split) for split in SPLITS}
    rare = sum(len(found[s][c]) for s in SPLITS for c in ("WBC", "Platelets"))
    red = sum(len(found[s]["RBC"]) for s in SPLITS)
    for split in SPLITS:
        # Red cells are shared out as the rarer ones are, so that the splits hold the same mixture.
        here = len(found[split]["WBC"]) + len(found[split]["Platelets"])
        wanted = min(round((TOTAL - rare) * here / rare), red)
        chosen = found[split] | {"RBC": thin(found[split]["RBC"], wanted)}
        write(folder, split, chosen, out)
        print(split, {c: len(chosen[c]) for c in CLASSES}, (out / f"{split}.parquet").stat().st_size, "bytes")
    (out / "classes.txt").write_text("\n".join(CLASSES) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: make_cells.py BCCD_FOLDER OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))

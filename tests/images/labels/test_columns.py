"""Parquet files with masks in a column, or with a COCO file beside them."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from twofold.errors import UserError
from twofold.images.labels import open_labelled, open_pair

from .samples import coco, image, noted, thing

VALUES = np.repeat(np.arange(4, dtype=np.uint8)[:, None], 60, 1).repeat(10, 0)  # (40, 60)


def stored(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def picture(k: int) -> bytes:
    return stored(np.random.default_rng(k).integers(0, 256, (40, 60, 3), dtype=np.uint8))


def table(path, count=3, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table({"image": [picture(k) for k in range(count)], **columns}), path)
    return path


NAMES = ["s_1.png", "s_2.png", "s_3.png"]


def test_a_column_of_masks_with_void_by_the_list_beside_it(tmp_path):
    file = table(tmp_path / "train.parquet", mask=[stored(VALUES)] * 3, name=NAMES)
    (tmp_path / "classes.txt").write_text("sky\nroad\ncar\nvoid\n")
    data = open_labelled(file)
    assert data.classes == ("sky", "road", "car") and list(data.names) == NAMES
    assert data.mask(1).unique().tolist() == [-1, 0, 1, 2] and noted(data, "void (3)")
    assert open_labelled(file, ignore_id=0).classes == ("road", "car", "void")


@pytest.mark.parametrize("column", ["label", "annotation", "segmentation_mask"])
def test_other_names_and_structs_of_bytes(tmp_path, column):
    rows = [{"bytes": stored(VALUES), "path": None}] * 3
    assert open_labelled(table(tmp_path / "a.parquet", **{column: rows})).mask(2).max() == 3


def test_a_column_by_name(tmp_path):
    file = table(tmp_path / "a.parquet", painted=[stored(VALUES)] * 3)
    with pytest.raises(UserError, match="no column of masks or objects and no COCO file of its name"):
        open_labelled(file)
    assert open_labelled(file, mask_column="painted").has_masks
    with pytest.raises(UserError, match=r'no column paintd of masks .*Did you mean "painted"'):
        open_labelled(file, mask_column="paintd")


def test_pictures_with_a_coco_file_of_the_same_name_beside_them(tmp_path):
    table(tmp_path / "train.parquet", name=NAMES)
    annotations = [thing(7, [1, 2, 3, 4]), thing(9, [5, 5, 5, 5])]
    file = coco(tmp_path / "instances_train.json", [image(7, "s_2.png"), image(9, "s_1.png")], annotations)
    for path in (file, tmp_path / "train.parquet"):
        data = open_labelled(path)
        assert list(data.names) == ["s_2.png", "s_1.png"] and noted(data, "do not name", "s_3.png")
        assert data.instances(0).boxes.tolist() == [[1, 2, 4, 6]]
        np.testing.assert_array_equal(data.picture(1).permute(1, 2, 0), np.array(Image.open(io.BytesIO(picture(0)))))


def test_ids_are_row_numbers_where_the_table_has_no_names(tmp_path):
    table(tmp_path / "train.parquet")
    file = coco(tmp_path / "x.json", [image(2, "gone.jpg"), image(0, "too.jpg")], [thing(2, [1, 2, 3, 4])])
    data = open_labelled(file, images=str(tmp_path / "train.parquet"))
    assert list(data.names) == ["train.parquet[2]", "train.parquet[0]"] and noted(data, "row numbers")


def test_masks_or_boxes_where_a_table_has_both(tmp_path):
    for side in ("train", "test"):
        table(tmp_path / f"{side}.parquet", mask=[stored(VALUES)] * 3, name=NAMES)
        coco(tmp_path / f"boxes_{side}.json", [image(0, NAMES[0])], [thing(0, [1, 1, 5, 5])])
    paths = tmp_path / "train.parquet", tmp_path / "test.parquet"
    assert open_pair(*paths, want="masks")[1].has_masks
    boxes = open_pair(*paths, want="boxes")[1]
    assert boxes.has_boxes and not boxes.has_masks and boxes.classes == ("cell",)


def test_rows_without_a_mask_are_counted(tmp_path):
    file = table(tmp_path / "a.parquet", mask=[stored(VALUES), None, b"broken"], name=NAMES)
    data = open_labelled(file)
    assert len(data) == 1 and noted(data, "masks that cannot be read", ": 2 ")


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(UserError, match="not a whole parquet file"):
        open_labelled(tmp_path / "a.parquet")

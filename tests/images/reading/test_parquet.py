"""Parquet files: columns, labels, names, several files, broken ones, and row groups under a small budget."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading_samples import album, encoded, picture

from twofold.errors import UserError
from twofold.images.reading import DecodeError, open_source

DATA = [encoded(picture(seed=i)) for i in range(10)]


def table(path, *, group=4, metadata=None, image="image", **columns):
    t = pa.table({image: pa.array(DATA, pa.binary()), **columns})
    pq.write_table(t.replace_schema_metadata(metadata), path, row_group_size=group)
    return str(path)


def read_all(source):
    return [source.read(i) for i in range(len(source))]


def test_bytes_and_integer_labels(tmp_path):
    source = open_source(table(tmp_path / "a.parquet", label=pa.array([i % 3 for i in range(10)], pa.uint8())))
    assert read_all(source) == DATA and len(source) == 10
    assert source.labels.tolist() == [i % 3 for i in range(10)] and source.classes == ["0", "1", "2"]
    assert source.names[7] == "a.parquet[7]" and list(source.names[2:4]) == ["a.parquet[2]", "a.parquet[3]"]


def test_the_struct_of_the_datasets_library(tmp_path):
    structs = pa.array(
        [{"bytes": d, "path": f"{i}.jpg"} for i, d in enumerate(DATA[:3])] + [{"bytes": None, "path": "x"}]
    )
    info = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    t = pa.table({"image": structs, "label": [1, 0, 1, None]}).replace_schema_metadata(
        {"huggingface": json.dumps(info)}
    )
    pq.write_table(t, tmp_path / "hf.parquet")
    source = open_source(str(tmp_path / "hf.parquet"))
    assert [source.read(i) for i in range(3)] == DATA[:3]
    assert source.classes == ["cat", "dog"] and source.labels.tolist() == [1, 0, 1, -1]
    assert source.names == ["0.jpg", "1.jpg", "2.jpg", "x"]
    with pytest.raises(DecodeError, match="no image bytes"):
        source.fetch(3)
    pq.write_table(pa.table({"image": pa.array([{"bytes": DATA[0], "path": None}])}), tmp_path / "unnamed.parquet")
    assert open_source(str(tmp_path / "unnamed.parquet")).names[0] == "unnamed.parquet[0]"


def test_names_string_labels_and_chosen_columns(tmp_path):
    names = [f"photo {i}.jpg" for i in range(10)]
    path = table(tmp_path / "a.parquet", image="bild", art=["b", "a"] * 5, mask=DATA[::-1], file_name=names)
    with pytest.raises(UserError, match=r"several columns of bytes \(bild, mask\)"):
        open_source(path)
    source = open_source(path, image_column="bild", label_column="art")
    assert read_all(source) == DATA and source.names == names
    assert source.classes == ["a", "b"] and source.labels.tolist() == [1, 0] * 5


def test_class_names_from_a_file_beside(tmp_path):
    (tmp_path / "classes.txt").write_text("n01\ttench\nn02\thorn\n")
    source = open_source(table(tmp_path / "a.parquet", label=[0, 1] * 5))
    assert source.classes == ["tench", "horn"]
    (tmp_path / "classes.txt").write_text("only one\n")
    assert open_source(table(tmp_path / "a.parquet", label=[0, 1] * 5)).classes == ["0", "1"]


def test_floats_of_pandas_and_columns_that_the_schema_names(tmp_path):
    source = open_source(table(tmp_path / "a.parquet", label=[0.0, 2.0, None, float("nan"), 1.0] * 2))
    assert source.labels.tolist() == [0, 2, -1, -1, 1] * 2 and source.classes == ["0", "1", "2"]
    features = {name: {"names": ["x", "y"], "_type": "ClassLabel"} for name in ("fine", "coarse")}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    path = table(tmp_path / "b.parquet", metadata=metadata, fine=[0, 1] * 5, coarse=[1, 1] * 5)
    assert open_source(path).labels.tolist() == [0, 1] * 5
    assert open_source(path).notes == (f"labels are column fine of {path} (coarse too: --label-column names another)",)
    assert open_source(path, label_column="coarse").labels.tolist() == [1] * 10


def test_class_names_of_large_numbers_are_theirs(tmp_path):
    names = [f"c{i}" for i in range(6000)]
    metadata = {"huggingface": json.dumps({"info": {"features": {"label": {"names": names}}}})}
    source = open_source(table(tmp_path / "a.parquet", metadata=metadata, label=[5000, 10] * 5))
    assert [source.classes[k] for k in source.labels[:2]] == ["c5000", "c10"]


def test_paths_of_files_beside_the_table(tmp_path):
    folder = tmp_path / "set"
    album(folder / "cat", 2)
    album(folder / "dog", 1)
    outside = album(tmp_path / "out", 1) / "000.jpg"
    paths = ["cat/000.jpg", str(folder / "dog" / "000.jpg"), "gone.jpg", "../out/000.jpg", str(outside), None]
    pq.write_table(pa.table({"image_path": paths}), folder / "a.parquet")
    source = open_source(str(folder / "a.parquet"))
    assert source.fetch(0) == (folder / "cat" / "000.jpg").read_bytes() and source.file_name(0) == "cat/000.jpg"
    assert source.fetch(1) == (folder / "dog" / "000.jpg").read_bytes()
    assert source.classes == ["cat", "dog"] and source.labels[:2].tolist() == [0, 1]
    reasons = []
    for i in range(2, 6):
        with pytest.raises(DecodeError) as caught:
            source.fetch(i)
        reasons.append(caught.value.reason.split(",")[0])
    assert reasons == ["the file does not exist", *[f"lies outside {folder}"] * 2, "the file does not exist"]
    pq.write_table(pa.table({"path": ["x/1.jpg", "x/2.jpg"]}), folder / "b.parquet")
    with pytest.raises(UserError, match=r"column path holds strings, of which the first .x/1.jpg. name no files in"):
        open_source(str(folder / "b.parquet"))


def test_rows_in_parts(tmp_path):
    split = ["Train", "test", "train", "VAL", "train"] * 2
    path = table(tmp_path / "a.parquet", split=split, label=list(range(10)))
    source = open_source(path)
    assert read_all(source) == [DATA[i] for i in (0, 2, 4, 5, 7, 9)] and source.labels.tolist() == [0, 2, 4, 5, 7, 9]
    assert source.names[1] == "a.parquet[2]"
    assert "train (6 images) is read, test (2 images) and valid (2 images) left out" in source.notes[0]
    asked = open_source(path, role="test")
    assert read_all(asked) == [DATA[1], DATA[6]] and asked.notes[0].endswith("is read to test on (by column split)")
    assert asked.fingerprint() != source.fingerprint()
    assert len(open_source(path, part="all")) == len(open_source(path, part="none")) == 10
    assert len(open_source(table(tmp_path / "b.parquet", split=["x", "train"] * 5))) == 10
    album(tmp_path / "Train" / "cat", 2)
    album(tmp_path / "Test" / "cat", 1)
    paths = ["Test/cat/000.jpg", "Train/cat/000.jpg", "Train/cat/001.jpg"]
    pq.write_table(pa.table({"path": paths}), tmp_path / "c.parquet")
    source = open_source(str(tmp_path / "c.parquet"))
    assert source.names == paths[1:] and source.read(1) == (tmp_path / paths[2]).read_bytes()


def test_structs_without_bytes_name_files(tmp_path):
    album(tmp_path, 1)
    images = [{"bytes": None, "path": "000.jpg"}, {"bytes": None, "path": "gone.jpg"}]
    pq.write_table(pa.table({"image": images}), tmp_path / "a.parquet")
    source = open_source(str(tmp_path / "a.parquet"))
    assert source.fetch(0) == (tmp_path / "000.jpg").read_bytes()
    with pytest.raises(DecodeError, match=r"holds no image bytes, and gone.jpg does not exist"):
        source.fetch(1)


def test_several_files_and_a_folder_of_them(tmp_path):
    for name in ("b", "a"):
        table(tmp_path / f"{name}.parquet", key=[f"{name}{i}" for i in range(10)])
    for path in (tmp_path, tmp_path / "*.parquet", tmp_path / "{a,b}.parquet"):
        source = open_source(str(path))
        assert read_all(source) == DATA * 2
        assert source.names[9:11] == ["a9", "b0"] and "2 files" in source.describe()
    table(tmp_path / "c.parquet", other=list(range(10)))
    with pytest.raises(UserError, match=r"c\.parquet has other columns"):
        open_source(str(tmp_path))


def test_row_groups_come_and_go_under_a_small_budget(tmp_path):
    path = tmp_path / "many.parquet"
    data = [encoded(picture(seed=i)) for i in range(60)]
    pq.write_table(pa.table({"image": data}), path, row_group_size=5)
    source = open_source(str(path))
    source._budget = 3 * 5 * max(map(len, data))
    with ThreadPoolExecutor(6) as pool:
        order = [i * 37 % 60 for i in range(300)]
        assert list(pool.map(source.read, order)) == [data[i] for i in order]
    assert source._kept_bytes <= source._budget + 5 * max(map(len, data)) and len(source._kept) <= 4


def test_what_is_refused(tmp_path):
    whole = table(tmp_path / "a.parquet", label=[0.5] * 10, text=["x"] * 10)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes((tmp_path / "a.parquet").read_bytes()[:-100])
    (tmp_path / "zero.parquet").write_bytes(b"")
    pq.write_table(pa.table({"n": [1]}), tmp_path / "none.parquet")
    pq.write_table(pa.table({"image": pa.array([], pa.binary())}), tmp_path / "rows.parquet")
    for path, columns, message in [
        (cut, {}, "cut.parquet is not a whole parquet file"),
        (tmp_path / "zero.parquet", {}, "not a whole parquet file"),
        (tmp_path / "none.parquet", {}, "no column of encoded images"),
        (tmp_path / "rows.parquet", {}, "no rows"),
        (whole, {"image_column": "imgae"}, 'Did you mean "image"'),
        (whole, {"image_column": "text"}, "holds string"),
        (whole, {"label_column": "lable"}, 'Did you mean "label"'),
        (whole, {"label_column": "label"}, "labels are integers or strings"),
    ]:
        with pytest.raises(UserError, match=message):
            open_source(str(path), **columns)
    assert open_source(whole).labels is None


def test_a_damaged_row_group_is_a_decode_error(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": DATA}), path, row_group_size=5, compression="zstd", use_dictionary=False)
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 200] = b"\xff" * 200
    path.write_bytes(bytes(data))
    source = open_source(str(path))
    assert source.fetch(2) == DATA[2]
    with pytest.raises(DecodeError, match=r"row group 1 of .*a.parquet"):
        source.fetch(7)


def test_a_damaged_column_of_labels_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": DATA, "label": list(range(10))}), path, compression="none", use_dictionary=False)
    start = pq.read_metadata(path).row_group(0).column(1).data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 20] = b"\xff" * 20
    path.write_bytes(bytes(data))
    with pytest.raises(
        UserError, match=r"a.parquet is damaged: column label cannot be read .*; write or fetch it again"
    ):
        open_source(str(path))


def test_the_fingerprint_follows_file_and_column(tmp_path):
    path = table(tmp_path / "a.parquet", mask=DATA)
    marks = {open_source(path).fingerprint(), open_source(path, image_column="mask").fingerprint()}
    table(tmp_path / "a.parquet", mask=DATA, more=DATA)
    assert len(marks | {open_source(path).fingerprint()}) == 3


def test_a_folder_with_images_and_tables_is_a_folder_of_images(tmp_path):
    album(tmp_path, 2)
    table(tmp_path / "a.parquet")
    source = open_source(str(tmp_path))
    assert len(source) == 2 and source.skipped == {".parquet": 1}

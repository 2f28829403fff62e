"""Lists of classes from strangers."""

from __future__ import annotations

import json

import pytest

from twofold.errors import UserError
from twofold.images.labels.lists import class_list, read_list


@pytest.mark.parametrize(
    ("name", "text", "names", "values"),
    [
        ("a.txt", "cat\n\nbig dog\n", ("cat", "big dog"), None),
        ("a.txt", "0 cat\n255 big dog\n", ("cat", "big dog"), (0, 255)),
        ("a.txt", "0\tcat\n1\tdog\n", ("cat", "dog"), (0, 1)),
        ("a.txt", "7: cat\n8: dog\n", ("cat", "dog"), (7, 8)),
        ("a.txt", "cat = 3\ndog = 4\n", ("cat", "dog"), (3, 4)),
        ("a.csv", "Pixel Value, Class\n0, background\n1, cat\n", ("background", "cat"), (0, 1)),
        ("a.json", '["cat", "dog"]', ("cat", "dog"), None),
        ("a.json", '{"1": "cat", "0": "dog"}', ("dog", "cat"), None),
        ("a.json", '{"cat": 5, "dog": 3}', ("dog", "cat"), (3, 5)),
        ("a.yaml", "names: {3: cat, 5: dog}", ("cat", "dog"), (3, 5)),
        ("a.txt", "\ufeffcaf\u00e9\n", ("caf\u00e9",), None),
    ],
)
def test_forms(tmp_path, name, text, names, values):
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = class_list(str(tmp_path / name), [])
    assert found is not None and found.names == names and found.values == values and found.colours is None


def test_typed_names(tmp_path):
    found = class_list("cat,dog", [])
    assert found is not None and found.names == ("cat", "dog") and found.where == "--classes"
    assert class_list(None, [tmp_path]) is None
    many = class_list(",".join(f"class {k}" for k in range(300)), [])
    assert many is not None and len(many.names) == 300
    with pytest.raises(UserError, match=r"nowhere\.txt does not exist"):
        class_list("nowhere.txt", [])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.txt", "", "names no classes"),
        ("a.txt", "cat\ncat\n", 'the class "cat" twice'),
        ("a.txt", "0 cat\n0 dog\n", "cat and dog have one value, 0"),
        ("a.txt", "cat:1,2,3\ndog:1,2,3\n", "cat and dog have one value, 1,2,3"),
        ("a.txt", "cat:1,2,300\n", "the colour of cat"),
        ("a.csv", "name,r,g,b\ncat,x,0,0\n", "no numbers"),
        ("a.json", "{", "no JSON"),
        ("a.json", "7", "names is a int"),
        ("a.json", json.dumps({"a": {}}), "neither a list"),
        ("a.yaml", "- a", "no names and values"),
        ("a.yaml", "names: !!python/name:os.system ''", "no YAML"),
        ("a.txt", "x\n" * 3, "twice"),
        ("a.txt", "\n".join(map(str, [f"c{k}" for k in range(10_001)])), "10,001 classes"),
    ],
)
def test_refused_in_a_sentence(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=words) as error:
        read_list(tmp_path / name)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def test_a_yaml_of_references_to_itself_is_refused_before_it_grows(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 12)]
    (tmp_path / "a.yaml").write_text("\n".join(lines) + "\nnames: *a11\n")
    with pytest.raises(UserError, match=r"a\.yaml"):
        read_list(tmp_path / "a.yaml")

"""Settings as text and back, and which of them must agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from twofold.errors import UserError
from twofold.runs.config import differences, flatten, read_config, read_settings, settings_hash, to_yaml

SETTINGS = {"method": "a", "options": {"size": 3, "of": {"x": 1}}, "none": None, "empty": {}, "steps": (1, 2)}


def test_nested_names_are_joined_and_leaves_stay():
    flat = {"method": "a", "options.size": 3, "options.of.x": 1, "none": None, "empty": {}, "steps": (1, 2)}
    assert flatten(SETTINGS) == flat


def test_what_is_written_is_read_in_its_order(tmp_path):
    (tmp_path / "config.yaml").write_text(to_yaml({**SETTINGS, "path": Path("/é"), "odd": "x\udcff"}), encoding="utf-8")
    found = read_config(tmp_path)
    assert found == {**SETTINGS, "steps": [1, 2], "path": "/é", "odd": "x\udcff"}
    assert list(found) == [*SETTINGS, "path", "odd"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [(b"a: [1,", "parsing"), (b"\xff\xfe", "decode"), (b"", "holds no settings"), (b"- 1\n", "holds no settings")],
)
def test_a_damaged_file_is_one_sentence(tmp_path, text, reason):
    file = tmp_path / "config.yaml"
    file.write_bytes(text)
    for read in (lambda: read_config(tmp_path), lambda: read_settings(file)):
        with pytest.raises(UserError, match=reason) as refused:
            read()
        message = str(refused.value)
        assert message.startswith(f"{file} cannot be read (") and message.endswith(".") and "\n" not in message


def test_no_run_folder(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path} is not a run folder: it holds no config.yaml."):
        read_config(tmp_path)
    with pytest.raises(UserError, match=r"nowhere does not exist: give the folder"):
        read_config(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ({}, {}, []),
        ({"steps": [1, 2]}, {"steps": (1, 2)}, []),
        ({"a": 1}, {"a": 2}, ["a was 1 and is now 2"]),
        ({"o": {"a": 1, "b": 2}}, {"o": {"a": 1, "b": 3}}, ["o.b was 2 and is now 3"]),
        ({"a": 1}, {"b": True}, ["a was 1 and is now not set", "b was not set and is now True"]),
        ({"a": None, "b": 1}, {"b": 1}, []),
        ({"b": 1}, {"b": 1, "a": None}, []),
        ({"a": None}, {"a": 0}, ["a was not set and is now 0"]),
        ({"workers": 1, "o": {"workers": 1}}, {"workers": 2}, []),
        ({}, {"kind": "sounds"}, []),
        ({"kind": "sounds"}, {}, []),
        ({"kind": "sounds"}, {"kind": "smells"}, ["kind was sounds and is now smells"]),
        ({"o": {}}, {"o": {"kind": "x"}}, ["o was {} and is now not set", "o.kind was not set and is now x"]),
    ],
)
def test_which_settings_count(old, new, reason):
    assert differences(old, new, harmless=("workers",)) == reason
    same = settings_hash(old, ("workers",)) == settings_hash(new, ("workers",))
    assert same == (not reason) or "kind" in old


def test_the_hash_ignores_order_and_sees_values():
    assert settings_hash({"a": 1, "b": [1, 2]}) == settings_hash({"b": (1, 2), "a": 1})
    assert settings_hash({"a": 1}) != settings_hash({"a": 2})


def test_a_setting_that_the_folder_does_not_know_yet_agrees_with_what_is_usual():
    old, usual = {"epochs": 3}, {"new": False, "epochs": None}
    assert differences(old, {"epochs": 3, "new": False}, (), usual) == []
    assert differences(old, {"epochs": 3, "new": True}, (), usual) == ["new was not set and is now True"]
    assert settings_hash(old, (), usual) == settings_hash({"epochs": 3, "new": False}, (), usual)
    assert settings_hash(old, (), usual) != settings_hash({"epochs": 3, "new": True}, (), usual)

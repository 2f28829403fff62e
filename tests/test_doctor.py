"""What the machine can do, tried out, and what to do about the rest."""

import pytest

from twofold import wings
from twofold.catalog import trials
from twofold.catalog.trials import Failed, alone, try_out
from twofold.control import trials as of_control
from twofold.doctor import doctor
from twofold.errors import UserError


@pytest.mark.parametrize("kind", [wing.kind for wing in wings.WINGS])
def test_what_is_installed_for_the_tests_works(kind, capsys):
    doctor(kind)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("works    torch: torch ") for line in lines)
    own = [line for line in lines if f" {kind}: " in line]
    assert own and all(line.split()[0] in ("works", "missing", "note") for line in own)
    assert lines[-1] == "Nothing fails."


def test_what_is_missing_comes_with_how_to_install_it():
    found = try_out("nothing", "no-such-package", "pip install it", lambda: "never")
    assert (found.state, found.said) == ("missing", "pip install it")


def test_what_fails_says_why_and_what_to_do():
    def own():
        raise UserError("It has no door: build one.")

    def other():
        raise RuntimeError("no display")

    assert try_out("a", "pytest", "pip install it", own).said == "It has no door: build one."
    found = try_out("a", "pytest", "pip install it", other)
    assert found.state == "fails" and "does not work here (no display): pip install it" in found.said


def test_a_process_that_dies_is_told(monkeypatch):
    assert alone("print(1 + 1)") == "2"
    with pytest.raises(Failed, match="died with code -11"):
        alone("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(Failed, match=r"^no picture$"):
        alone("from twofold.errors import UserError\nraise UserError('no picture')")
    monkeypatch.setattr(trials, "MOST_SECONDS", 0.5)
    with pytest.raises(Failed, match="did not come to its end"):
        alone("import time; time.sleep(60)")


def test_parts_of_mujoco_4_beside_an_older_one_are_named_with_the_line_that_removes_them(monkeypatch):
    versions = {"mujoco": "3.17.0", "mujoco-core": "4.0.0"}
    monkeypatch.setattr(of_control, "version_of", lambda name: versions.get(name, ""))
    monkeypatch.setattr(of_control, "packages_distributions", lambda: {"cv2": ["opencv-python", "opencv-other"]})
    mujoco, cv2 = of_control._mixed()
    assert mujoco.state == "fails" and "pip uninstall mujoco-core mujoco, then pip install" in mujoco.said
    assert cv2.state == "note" and cv2.said.startswith("opencv-other and opencv-python all hold cv2")
    versions["mujoco"] = "4.0.0"
    monkeypatch.setattr(of_control, "packages_distributions", lambda: {"cv2": ["opencv-python"]})
    assert list(of_control._mixed()) == []

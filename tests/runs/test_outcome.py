"""outcome.json: what is read of it, whatever it holds."""

from __future__ import annotations

import pytest

from twofold.runs.outcome import ended, trained_epochs, write_outcome


@pytest.mark.parametrize(
    ("text", "epochs"), [('{"epochs": 3}', 3), ("[]", None), ("{", None), ('{"epochs": ""}', None)]
)
def test_epochs_that_were_trained(tmp_path, text, epochs):
    assert trained_epochs(tmp_path) is None
    (tmp_path / "outcome.json").write_text(text)
    assert trained_epochs(tmp_path) == epochs


def test_how_a_run_ended(tmp_path):
    assert ended(tmp_path) is None
    write_outcome(tmp_path, "enough", 12, 3)
    assert (ended(tmp_path), trained_epochs(tmp_path)) == ("enough", 3)
    (tmp_path / "outcome.json").write_text('{"ended": 5}')
    assert ended(tmp_path) is None

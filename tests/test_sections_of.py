"""Which wing's sections a run gets, until wings.py says it."""

from twofold.sections_of import sections_of

from twofold.images.report.sections import SECTIONS as IMAGES
from twofold.interactions.report.sections import SECTIONS as INTERACTIONS

from .images.report.runs import make_run
from .interactions.report.ranked_runs import make_ranked_run


def test_by_the_method_or_by_what_was_measured(tmp_path):
    assert sections_of(make_run(tmp_path / "cells")) is IMAGES
    assert sections_of(make_ranked_run(tmp_path / "sgl")) is INTERACTIONS
    own = make_ranked_run(tmp_path / "own", method="mine.Ranker")
    assert sections_of(own) is INTERACTIONS
    (own / "metrics.csv").unlink()
    assert sections_of(own) is INTERACTIONS
    (own / "evaluation.json").unlink()
    assert sections_of(own) is IMAGES

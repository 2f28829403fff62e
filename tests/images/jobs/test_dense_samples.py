"""What dense protocols keep for the page: the answers for a few pictures, small, and read back as they were."""

from __future__ import annotations

import numpy as np
import torch

from tests.images.dense.tiny import PLAIN, boxes, coloured, labelled
from twofold.files import write_arrays
from twofold.images.dense.correspondence import correspondence, pair_maker
from twofold.images.dense.maps import MapSet, RawPixels
from twofold.images.dense.retrieval_segmentation import retrieval_segmentation
from twofold.images.jobs.dense_samples import PICTURES, Samples, encoded
from twofold.images.report.dense_samples import read_samples
from twofold.pixels.batch import ImageBatch

RAW = RawPixels(PLAIN, 8, 3.5)
CLASSES = ("red", "green", "blue")


def read_back(samples, folder, about="pictures"):
    write_arrays(folder / "shown.npz", samples.finished(about))
    return read_samples(folder / "shown.npz")


def test_masks_and_retrieved_patches(tmp_path):
    train, test = (labelled(*coloured(9, seed=seed), name=str(seed)) for seed in (1, 2))
    samples = Samples(len(test), 0, CLASSES)
    answers = {}

    def show(made, answer, memory):
        answers[test.names[made.number]] = answer
        samples.mask(test, made.number, answer)
        samples.looked_up(RAW, train, test, made, memory)

    retrieval_segmentation(MapSet(RAW, train), MapSet(RAW, test), on_answer=show)
    found = read_back(samples, tmp_path, "pictures\x1b[2J")
    assert len(found.masks) == len(found.queries) == PICTURES and found.classes == list(CLASSES)
    assert "\x1b" not in found.about
    for one in found.masks:
        number = list(test.names).index(one.name)
        assert np.array_equal(one.truth, test.mask(number).numpy())
        assert np.array_equal(one.answer, answers[one.name].numpy())
        true = test.picture(number).permute(1, 2, 0).numpy().astype(int)
        assert np.abs(one.picture.astype(int) - true).mean() < 20
    assert {query.kinds[0] for query in found.queries} == {0, 1, 2}
    for query in found.queries:
        assert query.cosines == sorted(query.cosines, reverse=True) and query.cosines[0] > 0.9
        # A patch has the colour that its class says, and so have those that were found for it.
        middle = query.patches[:, 24:40, 24:40].mean((1, 2)).argmax(1)
        assert middle.tolist() == query.kinds


def test_the_same_pictures_are_shown_whoever_answers():
    assert Samples(50, 3).chosen == Samples(50, 3).chosen != Samples(50, 4).chosen
    assert len(Samples(50, 3).chosen) == PICTURES and Samples(0, 0).finished("nothing") == {}


def test_pairs_with_right_and_wrong_matches(tmp_path):
    pictures = torch.stack(coloured(8, (64, 64))[0])
    batch = ImageBatch(torch.arange(8), pictures, torch.tensor([[64, 64]] * 8))
    samples, met = Samples(PICTURES, 0), []

    def show(made, row, matches):
        met.append(matches)
        samples.pair(RAW, made, row, matches)

    scores = correspondence(RAW, [batch], pair_maker(RAW, 64, seed=0), on_pair=show)
    assert sum(len(one.asked) for one in met) == scores.cells and len(met) == scores.pairs == 8
    found = read_back(samples, tmp_path)
    assert 1 <= len(found.pairs) <= PICTURES
    for one, match in zip(found.pairs, [one for one in met if len(one.asked)], strict=False):
        assert one.first.shape == (64, 64, 3) and one.cell == 0.125 and len(one.points) <= 16
        every = torch.cat([match.asked, match.found, match.true], 1)
        placed = torch.tensor(one.points).double() * 64 - 0.5
        assert all(((every - row).abs().amax(1) < 1e-3).any() for row in placed)


def test_found_boxes_beside_true_ones(tmp_path):
    pictures = coloured(1, (40, 80))[0]
    data = labelled(pictures, instances=[boxes([[0, 0, 40, 20]], [0])])
    samples = Samples(1, 0)
    found = torch.tensor([[0.0, 0, 40, 20], [40, 0, 80, 40]], dtype=torch.float64)
    samples.boxes(data, 0, found, torch.tensor([[0.0, 0, 40, 20]]).double(), torch.tensor([True, False]))
    (one,) = read_back(samples, tmp_path).boxes
    assert one.true.tolist() == [[0, 0, 0.5, 0.5]] and one.found.tolist() == [[0, 0, 0.5, 0.5], [0.5, 0, 1, 1]]
    assert one.hits == [True, False]


def test_large_pictures_are_shrunk_and_the_file_is_small(tmp_path):
    pictures, masks = coloured(6, (480, 640), block=80)
    data, samples = labelled(pictures, masks), Samples(6, 0, CLASSES)
    for i in range(6):
        samples.mask(data, i, masks[i].long().clamp(min=0))
    found = read_back(samples, tmp_path)
    assert {one.picture.shape for one in found.masks} == {(192, 256, 3)}
    assert all(one.truth.shape == (192, 256) for one in found.masks)
    assert (tmp_path / "shown.npz").stat().st_size < 300_000
    assert len(encoded(pictures[0])) < pictures[0].numel() / 4

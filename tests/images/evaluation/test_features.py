"""Features of a set: in order, one centre crop each, whatever the batches."""

from dataclasses import replace

import torch

from twofold.images.evaluation import extract, readable
from twofold.pixels.views.views import evaluation_view

from .trees import opened, write


def test_features_are_those_of_each_image_alone(backbone, train_images, inputs):
    backbone.train()
    calls = []
    found = extract(backbone, train_images, replace(inputs, batch_size=7), on_progress=lambda *p: calls.append(p))
    assert backbone.training and found.shape == (60, backbone.width) and found.dtype == torch.float32
    assert calls[0] == (7, 60) and calls[-1] == (60, 60)
    backbone.eval()
    for i in (0, 23, 59):
        with torch.no_grad():
            view = evaluation_view(train_images.centres(16).batch(torch.tensor([i])), inputs.mean, inputs.std)
            torch.testing.assert_close(found[i], backbone(view).pooled[0], rtol=1e-4, atol=1e-5)


def test_indices_choose_and_order(backbone, train_images, inputs):
    whole = extract(backbone, train_images, inputs)
    chosen = torch.tensor([5, 3, 40])
    some = extract(backbone, train_images, inputs, indices=chosen)
    torch.testing.assert_close(some, whole[chosen], rtol=1e-4, atol=1e-5)


def test_bf16_is_close_and_comes_back_as_float32(backbone, train_images, inputs):
    plain = extract(backbone, train_images, inputs)
    half = extract(backbone, train_images, replace(inputs, precision="bf16"))
    assert half.dtype == torch.float32 and not torch.equal(half, plain)
    assert torch.cosine_similarity(half, plain).min() > 0.999


def test_a_replacement_is_known_by_its_index(tmp_path, backbone, inputs):
    folder = write(tmp_path / "set", 5, 0)
    (folder / "elm" / "02.png").write_bytes(b"broken")
    images = opened(folder, max_unreadable=0.5)
    extract(backbone, images, inputs)
    bad = list(images.source.names).index("elm/02.png")
    assert torch.nonzero(~readable(images, torch.arange(15))).flatten().tolist() == [bad]
    assert readable(images, torch.tensor([bad, 0])).tolist() == [False, True]

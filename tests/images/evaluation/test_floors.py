"""Floors: pixels as vectors, and an untrained network with statistics of its own."""

import torch
from torch import nn

from twofold.images.backbones import build_backbone
from twofold.images.evaluation import labelled
from twofold.images.evaluation.floors import centred, pixel_features, random_network
from twofold.pixels.views.views import evaluation_view


def test_pixels_are_the_shrunk_images(train_images, inputs):
    found, labels = pixel_features(labelled(train_images), 8, inputs)
    assert found.shape == (60, 3 * 8 * 8) and labels.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    view = evaluation_view(train_images.centres(8).batch(torch.tensor([17])), (0, 0, 0), (1, 1, 1))
    torch.testing.assert_close(found[17], view.flatten(), rtol=1e-4, atol=1e-5)
    bank, queries = centred(found, found[:2])
    assert bank.mean(0).abs().max() < 1e-5 and torch.equal(queries, bank[:2])


def test_random_network_has_other_weights_and_the_statistics_of_its_input(backbone, train_images, inputs):
    split = labelled(train_images)
    state = torch.random.get_rng_state()
    network = random_network(backbone, split, inputs, seed=5)
    assert torch.equal(torch.random.get_rng_state(), state) and not network.training
    assert not torch.equal(network.network.layers[0].weight, backbone.network.layers[0].weight)
    again = random_network(backbone, split, inputs, seed=5).state_dict()
    assert all(torch.equal(v, again[k]) for k, v in network.state_dict().items())
    view = evaluation_view(train_images.centres(16).batch(split.indices), inputs.mean, inputs.std)
    with torch.no_grad():
        first = network.network.layers[0](view)  # equal batches: the average over them is that of the whole set
    norm = network.network.layers[1]
    assert norm.num_batches_tracked == 4
    torch.testing.assert_close(norm.running_mean, first.mean((0, 2, 3)), rtol=0.05, atol=0.02)
    assert isinstance(norm, nn.BatchNorm2d)


def test_random_network_without_batch_norm(train_images, inputs):
    network = random_network(build_backbone("timm:vit_tiny_patch16_224", image_size=16), labelled(train_images), inputs)
    assert not network.training

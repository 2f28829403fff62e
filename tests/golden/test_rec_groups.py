"""Long-tail groups against the grouping of SGL-Torch."""

import numpy as np

from twofold.interactions.evaluation.groups import item_groups


def test_the_groups(golden):
    file = golden("rec_groups")
    pairs, items = np.stack([file["train_u"], file["train_i"]], 1), int(file["n_items"])
    assert np.bincount(pairs[:, 1], minlength=items).tolist() == file["item_degree"].tolist()
    assert item_groups(pairs, items, int(file["n_groups"])).tolist() == file["item_group"].tolist()

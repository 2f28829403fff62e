"""MoCo's kNN monitor, as its authors' notebook computes it."""

import numpy as np
import torch

from twofold.evaluation.knn import knn_predict


def test_classes_by_falling_score_are_those_of_the_original_code(golden):
    moco = golden("images_moco")
    predicted = knn_predict(
        torch.from_numpy(moco["knn_feature"]),
        torch.from_numpy(moco["knn_bank"]).T,
        torch.from_numpy(moco["knn_labels"]),
        k=int(moco["knn_k"]),
        temperature=float(moco["knn_t"]),
    )
    voted = (predicted >= 0).sum(1)
    for row, count, theirs in zip(predicted, voted, moco["knn_pred_sorted"], strict=True):
        np.testing.assert_array_equal(row[:count].numpy(), theirs[:count])  # theirs goes on with classes of no vote
    assert voted.min() > 1

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
        classes=int(moco["knn_classes"]),
    )
    np.testing.assert_array_equal(predicted.numpy(), moco["knn_pred_sorted"])

"""The recipes of the baselines for images, and the courses that these share with the other systems."""

from __future__ import annotations

from twofold.catalog.wing import Recipe

SGD = {"optimizer": "sgd", "scaling": "linear", "schedule": "cosine-epoch", "warmup_epochs": 0.0}
LARS = {"optimizer": "lars", "scaling": "linear", "schedule": "cosine", "warmup_epochs": 10.0}
ADAM = {"optimizer": "adam", "scaling": "none", "schedule": "cosine", "warmup_epochs": 5.0}

BARLOW = {
    "imagenet": Recipe(
        "byol",
        {**LARS, "base_lr": 0.2, "weight_decay": 1e-6, "epochs": 1000, "batch_size": 2048},
        {"redundancy": 0.0051, "dim": 8192, "scale": 0.024},
        "official repository, whose cosine ends at a thousandth of the rate (ours at 0); the scale stands for its "
        "smaller rate of biases and norms, 0.0048",
    ),
    "cifar": Recipe(
        "asymmetric-cifar",
        {**ADAM, "base_lr": 1e-3, "weight_decay": 1e-6, "epochs": 1000, "batch_size": 512},
        {"redundancy": 0.005, "dim": 2048},
        "views and head of solo-learn's CIFAR-10 configuration, Adam of the Barlow-Twins-HSIC repository with a cosine "
        "(no CIFAR recipe by the authors)",
    ),
}

VICREG = {
    "imagenet": Recipe(
        "byol",
        {**LARS, "base_lr": 0.2, "weight_decay": 1e-6, "epochs": 1000, "batch_size": 2048},
        {"dim": 8192},
        "the paper and the official repository, whose cosine ends at a thousandth of the rate (ours at 0)",
    ),
    "cifar": Recipe(
        "vicreg-cifar",
        {**ADAM, "base_lr": 1e-3, "weight_decay": 1e-6, "epochs": 1000, "batch_size": 512},
        {"dim": 2048},
        "views, head and weights of solo-learn's CIFAR-10 configuration, barlow's optimizer "
        "(no CIFAR recipe by the authors)",
    ),
}

MOCO_V3 = {
    "imagenet": Recipe(
        "moco-v3",
        {**LARS, "base_lr": 0.3, "weight_decay": 1e-6, "epochs": 300, "batch_size": 4096},
        {"temperature": 1.0, "hidden": 4096, "dim": 256, "momentum": 0.99},
        "official repository, ResNet-50 for 300 epochs (its ViTs: temperature 0.2, layers 3, predictor_norm, "
        "frozen_patches, AdamW)",
    ),
    "cifar": Recipe(
        "asymmetric-cifar",
        {**ADAM, "base_lr": 3e-3, "weight_decay": 1e-6, "epochs": 200, "batch_size": 512},
        {"temperature": 0.2, "hidden": 4096, "dim": 256, "momentum": 0.99},
        "views, heads and temperature of solo-learn's CIFAR-10 configuration, byol's optimizer "
        "(no CIFAR recipe by the authors)",
    ),
}

_WARM_SGD = {**SGD, "schedule": "cosine", "warmup_epochs": 10.0}
DINO = {
    "imagenet": Recipe(
        "dino-resnet50",
        {**_WARM_SGD, "base_lr": 0.03, "weight_decay": 1e-4, "epochs": 100, "batch_size": 512},
        {"prototypes": 65536, "local_views": 8, "momentum": 0.996, "teacher_temperature": 0.04},
        "official repository, ResNet-50 for 100 epochs (which also clips the gradient of each parameter at 3)",
    ),
    "cifar": Recipe(
        "asymmetric-cifar",
        {**_WARM_SGD, "optimizer": "adamw", "base_lr": 5e-4, "weight_decay": 0.04, "epochs": 1000, "batch_size": 256},
        {"prototypes": 4096, "local_views": 0, "momentum": 0.996, "teacher_temperature": 0.04, "head_norm": True},
        "views without small crops and number of outputs of solo-learn's CIFAR-10 configuration, the rest the official "
        "repository's for ViTs, its weight decay not growing (no CIFAR recipe by the authors)",
    ),
}

SWAV = {
    "imagenet": Recipe(
        "swav",
        {**LARS, "warmup_epochs": 0.0, "base_lr": 0.6, "weight_decay": 1e-6, "epochs": 200, "batch_size": 256},
        {"prototypes": 3000, "queue": 3840, "queue_start": 0.075, "local_views": 6},
        "official repository, 200 epochs with batches of 256; its cosine ends at a thousandth of the rate, ours at 0",
    ),
    "cifar": Recipe(
        "simclr-cifar",
        {**ADAM, "base_lr": 1e-3, "weight_decay": 1e-6, "epochs": 1000, "batch_size": 256},
        {"prototypes": 3000, "queue": 3840, "queue_start": 0.05, "local_views": 0, "frozen_epochs": 2},
        "head, prototypes and queue of solo-learn's CIFAR-10 configuration, without small crops, on SimCLR's views; "
        "barlow's optimizer (no CIFAR recipe by the authors)",
    ),
}

_ADAMW = {"optimizer": "adamw", "scaling": "none", "schedule": "cosine", "warmup_epochs": 10.0}
LEJEPA = {
    "imagenet": Recipe(
        "lejepa",
        {**_ADAMW, "base_lr": 5e-4, "weight_decay": 5e-4, "floor": 5e-7, "epochs": 100, "batch_size": 512},
        {"global_views": 4, "local_views": 0},
        "official repository's advice for ResNets; 4 views of one size and their area as in MINIMAL.md, whose blur, "
        "jitter and rates are others; warm-up of stable-pretraining",
    ),
    "vit": Recipe(
        "lejepa-vit",
        {**_ADAMW, "base_lr": 5e-4, "weight_decay": 5e-2, "floor": 5e-7, "epochs": 100, "batch_size": 512},
        {"global_views": 2, "local_views": 6},
        "official repository, vision transformers on ImageNet; warm-up of stable-pretraining",
    ),
    "cifar": Recipe(
        "lejepa-small",
        {**_ADAMW, "base_lr": 1e-3, "weight_decay": 5e-4, "floor": 1e-6, "epochs": 200, "batch_size": 256},
        {"global_views": 2, "local_views": 0, "slices": 256, "hidden": 1024, "dim": 64},
        "official weight decay for ResNets and slices of MINIMAL.md; views, rate and head chosen here (none is "
        "published for small images)",
    ),
}

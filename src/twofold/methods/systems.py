"""The entries of the systems that need no particular kind of data. Their recipes stand in each wing."""

from __future__ import annotations

from twofold.catalog.wing import System

_MOCO, _WMSE = "twofold.methods.moco:MoCo", "twofold.methods.wmse:WMSE"

ADDITIONS = {
    "mixsiam": "twofold.methods.mixsiam:MixSiam",
    "mochi": "twofold.methods.mochi:MoCHi",
    "co2": "twofold.methods.co2:CO2",
    "tkc": "twofold.methods.tkc:TKC",
    "unmix": "twofold.methods.unmix:UnMix",
}

SYSTEMS = {
    "simclr": System(
        "SimCLR",
        "A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020, arXiv 2002.05709",
        "twofold.methods.simclr:SimCLR",
        zero_init_residual=True,
        verified="official loss and gradient (golden), naive loop, two ranks, exact resume",
    ),
    "moco": System(
        "MoCo v2",
        "Improved Baselines with Momentum Contrastive Learning, 2020, arXiv 2003.04297",
        _MOCO,
        verified="official step, queue and split batch norm (golden), naive loop, two ranks, exact resume",
    ),
    "moco-symmetric": System(
        "MoCo v2, symmetric",
        "Improved Baselines with Momentum Contrastive Learning, 2020, arXiv 2003.04297 (CIFAR demo's option)",
        _MOCO,
        verified="loss and queue order against two asymmetric steps, two ranks, exact resume; no golden of its own",
    ),
    "moco-v1": System(
        "MoCo v1",
        "Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020, arXiv 1911.05722",
        _MOCO,
        verified="official step and queue (golden), naive loop; ranks and resume only as the same class under moco",
    ),
    "simsiam": System(
        "SimSiam",
        "Exploring Simple Siamese Representation Learning, CVPR 2021, arXiv 2011.10566",
        "twofold.methods.simsiam:SimSiam",
        zero_init_residual=True,
        verified="official pass of the whole network with gradients and buffers (golden), two ranks, exact resume",
    ),
    "byol": System(
        "BYOL",
        "Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning, NeurIPS 2020, arXiv 2006.07733",
        "twofold.methods.byol:BYOL",
        verified="official loss and schedules, a third party's whole step (golden), two ranks, exact resume",
    ),
    "wmse": System(
        "W-MSE with 2 views",
        "Whitening for Self-Supervised Representation Learning, ICML 2021, arXiv 2007.06346",
        _WMSE,
        verified="official whitening, loss and gradients (golden), by hand, two ranks, exact resume",
    ),
    "wmse4": System(
        "W-MSE with 4 views",
        "Whitening for Self-Supervised Representation Learning, ICML 2021, arXiv 2007.06346",
        _WMSE,
        verified="official loss and gradients (golden), by hand, two ranks; resume as the same class under wmse",
    ),
    "barlow": System(
        "Barlow Twins",
        "Barlow Twins: Self-Supervised Learning via Redundancy Reduction, ICML 2021, arXiv 2103.03230",
        "twofold.methods.barlow_twins:BarlowTwins",
        zero_init_residual=True,
        verified="the paper's equations as naive loops, gradient check, two ranks, exact resume; no golden",
    ),
    "vicreg": System(
        "VICReg",
        "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning, ICLR 2022, "
        "arXiv 2105.04906",
        "twofold.methods.vicreg:VICReg",
        zero_init_residual=True,
        verified="the paper's equations as naive loops, gradient check, two ranks, exact resume; no golden",
    ),
    "moco-v3": System(
        "MoCo v3",
        "An Empirical Study of Training Self-Supervised Vision Transformers, ICCV 2021, arXiv 2104.02057",
        "twofold.methods.moco_v3:MoCoV3",
        zero_init_residual=True,
        verified="the paper's loss as a naive loop, gradient check, two ranks, exact resume; no golden",
    ),
    "dino": System(
        "DINO",
        "Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021, arXiv 2104.14294",
        "twofold.methods.dino:DINO",
        verified="the paper's loss as a naive loop, centre, schedules, multi-crop, two ranks, exact resume; no golden",
    ),
    "swav": System(
        "SwAV",
        "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, NeurIPS 2020, arXiv 2006.09882",
        "twofold.methods.swav:SwAV",
        verified="the paper's codes and loss as naive loops, queue, multi-crop, two ranks, exact resume; no golden",
    ),
    "mixsiam": System(
        "MixSiam (a reconstruction), SimSiam with mixtures",
        "MixSiam: A Mixture-based Approach to Self-supervised Representation Learning, 2021, arXiv 2111.02679",
        "twofold.methods.simsiam:SimSiam",
        additions=(ADDITIONS["mixsiam"],),
        zero_init_residual=True,
        verified="reconstruction: naive loop, every setting, two ranks, exact resume; nothing public to compare with",
        reconstruction=True,
    ),
    "mochi": System(
        "MoCHi on MoCo v2",
        "Hard Negative Mixing for Contrastive Learning, NeurIPS 2020, arXiv 2010.01028",
        _MOCO,
        additions=(ADDITIONS["mochi"],),
        verified="a third party's step (golden), naive loop over rows, two ranks, exact resume",
    ),
    "co2": System(
        "CO2 on MoCo v2",
        "CO2: Consistent Contrast for Unsupervised Visual Representation Learning, arXiv 2010.02217",
        _MOCO,
        additions=(ADDITIONS["co2"],),
        verified="a third party's loss and gradient (golden), naive loop, two ranks, exact resume",
    ),
    "tkc": System(
        "TKC (a reconstruction) on MoCo v2",
        "Temporal Knowledge Consistency for Unsupervised Visual Representation Learning, ICCV 2021, arXiv 2108.10668",
        _MOCO,
        additions=(ADDITIONS["tkc"],),
        verified="reconstruction: naive loop, snapshots, two ranks, exact resume; nothing public to compare with",
        reconstruction=True,
    ),
    "unmix": System(
        "Un-Mix on MoCo v2",
        "Un-Mix: Rethinking Image Mixtures for Unsupervised Visual Representation Learning, AAAI 2022, "
        "arXiv 2003.05438",
        _MOCO,
        additions=(ADDITIONS["unmix"],),
        verified="official boxes, mixtures and steps on MoCo (golden), written out on every base, two ranks, resume",
    ),
}

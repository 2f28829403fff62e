"""Networks by name that turn images into features: torchvision, timm, two small ones of ours, and the user's own."""

from twofold.images.backbones.backbone import Backbone, build_backbone, load_backbone, rebuild_backbone

__all__ = ["Backbone", "build_backbone", "load_backbone", "rebuild_backbone"]

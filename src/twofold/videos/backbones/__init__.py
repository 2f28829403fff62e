"""Networks by name that turn clips into features: ours, torchvision's for clips and for frames, and the user's own."""

from twofold.videos.backbones.backbone import Backbone, build_backbone, load_backbone, rebuild_backbone

__all__ = ["Backbone", "build_backbone", "load_backbone", "rebuild_backbone"]

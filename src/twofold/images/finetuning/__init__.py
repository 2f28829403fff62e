"""Real protocols: detectors and segmenters of torchvision, trained from a backbone on labelled pictures, and tested."""

"""Frozen maps to numbers: one probe a file, each a pure function of maps, their places in the picture, and labels."""

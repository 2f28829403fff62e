"""Losses as pure functions: tensors in, per-row losses out; no state, no modules, no device code."""

"""Backbones: embeddings of users and items."""

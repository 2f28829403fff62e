"""Environments: how each is made, seen and acted in, in one shape whatever its library."""

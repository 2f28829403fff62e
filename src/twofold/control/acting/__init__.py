"""Agents at work: environments played decision by decision, and what comes of it as data."""

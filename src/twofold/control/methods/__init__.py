"""Agents, what may be laid over them, and encoders from logged episodes: one file a system."""

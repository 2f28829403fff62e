"""The control wing: agents, and encoders from logged episodes."""

"""The wing for interactions: who used what."""

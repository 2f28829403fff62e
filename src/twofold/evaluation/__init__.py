"""Features in, numbers out: what a representation is worth, whatever kind of data it came from."""

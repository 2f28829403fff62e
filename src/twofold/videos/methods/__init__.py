"""Systems that learn from clips alone."""

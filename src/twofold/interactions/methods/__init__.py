"""Systems that learn from interactions, one file each."""

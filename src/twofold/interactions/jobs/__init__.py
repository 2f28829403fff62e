"""`pretrain` and the other verbs for interactions, one file each."""

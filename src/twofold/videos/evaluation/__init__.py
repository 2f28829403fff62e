"""From a backbone of clips to numbers."""

"""What the networks for pictures and for clips share: sources, weights from files, checked exports."""

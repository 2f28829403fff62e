"""What pictures and clips share."""

"""What the page shows of pictures and clips alike."""

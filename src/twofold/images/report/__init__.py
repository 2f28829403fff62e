"""What the page shows of runs on images."""

"""What the page shows of runs on videos."""

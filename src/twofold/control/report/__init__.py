"""What the page shows of control."""

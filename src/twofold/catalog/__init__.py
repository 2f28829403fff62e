"""What there is to choose from, in words and records, before torch is imported."""

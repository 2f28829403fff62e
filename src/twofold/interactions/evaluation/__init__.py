"""Rankings in, numbers out: what a recommender is worth, whatever it was made by."""

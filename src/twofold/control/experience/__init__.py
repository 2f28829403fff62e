"""What an agent has lived through: frames stored once, what they led to, and pairs of moments by their returns."""

"""What agents and encoders are worth: scores with intervals, and returns foretold from features."""

"""The loop and what surrounds it: plan, optimizers, distribution, the run folder, exact resume."""

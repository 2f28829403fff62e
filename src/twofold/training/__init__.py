"""The loop and what surrounds it: plan, optimisers, distribution, the run folder, exact resume."""

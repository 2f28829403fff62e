"""Small parts with state: heads, momentum twin, queue, batch norms, the gather across processes."""

"""Views of the graph."""

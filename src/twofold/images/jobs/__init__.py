"""The verbs for images: reading, views, backbone, method and training put together."""

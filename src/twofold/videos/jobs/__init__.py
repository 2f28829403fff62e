"""One file a verb: the parts of the wing put together."""

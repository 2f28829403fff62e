"""A path of labelled pictures -> pictures with masks or boxes, whatever form the labels have."""

"""Videos: files in, clips and motion vectors out, networks over space and time, and what they are worth."""

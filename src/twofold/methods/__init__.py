"""Systems that need no particular kind of data, one file each."""

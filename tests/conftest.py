"""One thread for each test process: the suite runs one process a core, and more threads would wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

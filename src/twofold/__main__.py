"""`python -m twofold`, and what torchrun starts: the command line."""

import sys

from twofold.cli import main

sys.exit(main())

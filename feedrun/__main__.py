"""`python -m feedrun` is `feedrun`."""

import sys

from feedrun.cli import main

sys.exit(main())

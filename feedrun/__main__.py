"""`python -m feedrun` is `feedrun`."""

import sys

from feedrun.cli import main

if __name__ == "__main__":  # a worker of a sweep imports this module too
    sys.exit(main())

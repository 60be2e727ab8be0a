"""``python -m kvopt`` is the same as ``kvopt``."""

import sys

from kvopt.cli import main

sys.exit(main())

"""``python -m convert.sweep``."""

from __future__ import annotations

import sys

from convert.sweep.command import main

if __name__ == "__main__":
    sys.exit(main())

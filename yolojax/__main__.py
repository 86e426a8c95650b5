"""`python -m yolojax COMMAND`: the console script `yolojax` as a module."""

import sys

from yolojax.programs.main import main

if __name__ == "__main__":
    sys.exit(main())

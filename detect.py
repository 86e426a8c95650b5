"""`yolojax detect` for a checkout: python detect.py --help."""

from yolojax.programs import cli
from yolojax.programs.detect import __doc__, define, main

if __name__ == "__main__":
    cli.run(main, define, __doc__)

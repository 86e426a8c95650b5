"""`yolojax eval` for a checkout: python eval.py --help."""

from yolojax.programs import cli
from yolojax.programs.evaluate import __doc__, define, main

if __name__ == "__main__":
    cli.run(main, define, __doc__)

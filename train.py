"""`yolojax train` for a checkout: python train.py --help."""

from yolojax.programs import cli
from yolojax.programs.train import __doc__, define, main

if __name__ == "__main__":
    cli.run(main, define, __doc__)

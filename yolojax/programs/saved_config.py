"""The configuration of an existing run, as a config file whose argument is the workdir."""

from yolojax.config import Config
from yolojax.runs.workdir import read_config


def get_config(workdir: str) -> Config:
    """Returns the configuration with which the run in a workdir began."""
    return read_config(workdir)

"""What the faults share: the environment and the undisturbed run of tests/test_programs.py."""

from tests.test_programs import environment, finished

__all__ = ["environment", "finished"]

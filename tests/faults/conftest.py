"""What the faults share: the environment and the undisturbed run of tests/programs/test_programs.py."""

from tests.programs.test_programs import environment, finished

__all__ = ["environment", "finished"]

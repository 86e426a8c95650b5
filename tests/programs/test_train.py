"""`yolojax train`: what its flags make of the one call of the library. test_programs.py runs it as users do."""

import contextlib
import sys

import pytest

from tests.helpers.flag_values import parsed
from yolojax.errors import InputError
from yolojax.programs import train
from yolojax.runtime.distributed import DistributedOptions
from yolojax.training import loop

# ml_collections loads configurations in a way that Python will give up.
pytestmark = pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")


@pytest.fixture
def calls(monkeypatch):
    """What training and the set-up of its processes were called with."""
    made = []

    @contextlib.contextmanager
    def distributed_run(options):
        made.append(options)
        yield

    monkeypatch.setattr(train, "distributed_run", distributed_run)
    monkeypatch.setattr(loop, "train_and_evaluate", lambda *given: made.append(given))
    return made


def test_configuration_workdir_and_profile_are_passed_on(calls, repository, monkeypatch):
    flags = [f"--config={repository}/tests/helpers/tiny_config.py", "--config.seed=5", "--workdir=runs/a", "--profile=3"]
    # ml_collections reads sys.argv itself.
    monkeypatch.setattr(sys, "argv", ["train.py", *flags])
    with parsed(train.define, *flags, "--process_id=1") as arguments:
        train.main(arguments)
    options, (config, workdir, profile) = calls
    assert options == DistributedOptions(process_id=1)
    assert (config.seed, config.model.width, workdir, profile) == (5, 0.125, "runs/a", 3)


def test_arguments_are_refused_before_anything_is_done(calls):
    with parsed(train.define, "--workdir=runs/a", "more") as arguments, pytest.raises(InputError, match="'more'"):
        train.main(arguments)
    assert calls == []

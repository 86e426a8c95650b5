"""The configuration of an existing run."""

import json

import pytest

from yolojax.config import Config, to_dict
from yolojax.errors import InputError
from yolojax.programs.saved_config import get_config


def test_it_is_the_one_that_the_run_began_with(tmp_path):
    config = Config(seed=7)
    config.data.train, config.data.size, config.train.epochs = "a.txt", (96, 64), 3
    config.model.anchors = (((6.0, 8.0),), ((30.0, 24.0),))
    (tmp_path / "config.json").write_text(json.dumps(to_dict(config)))
    found = get_config(str(tmp_path))
    assert found == config and found != Config()


def test_a_run_without_a_usable_one_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"config\.json"):
        get_config(str(tmp_path))
    (tmp_path / "config.json").write_text('{"sed": 1}')
    with pytest.raises(InputError, match="sed"):
        get_config(str(tmp_path))

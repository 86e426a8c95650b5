"""Parts of a user's own: their names, how they are found, and what is refused."""

import functools

import pytest

from tests.helpers import own_parts
from yolojax.config import Config, checked, from_dict, to_dict
from yolojax.errors import InputError
from yolojax.parts import (
    FIELDS,
    OPTIONS,
    Parts,
    options_of,
    recorded,
)

LOSS = "tests.helpers.own_parts:loss"


def test_what_a_part_is_called_with_is_checked_before_it_is_called():
    parts = Parts()
    built = parts.build("loss", LOSS, {"gamma": 3.0}, "raw", "targets", "grid")
    assert built.func is own_parts.loss and built.keywords == {"gamma": 3.0}
    with pytest.raises(
        InputError, match=r"config\.loss\.name: .*:loss\(raw, targets, grid, \*, gamma=1\.0\) .* 'gama'.*config\.loss\.options"
    ):
        parts.build("loss", LOSS, {"gama": 3.0}, "raw", "targets", "grid")
    with pytest.raises(InputError, match=r"is called with \(boxes_xyxy, classes, grid, max_boxes=\.\.\.\), which does not fit"):
        parts.build("assign", LOSS, {}, "boxes_xyxy", "classes", "grid", "max_boxes=")


def test_a_configuration_holds_names_and_options_and_survives_json():
    config = Config()
    config.loss.options = {"delta": 1}

    def local(event):
        """Has no importable name."""

    parts = Parts(
        loss=functools.partial(own_parts.loss, gamma=2),
        model=own_parts.Net,
        augment=[functools.partial(own_parts.dim, least=0.9), own_parts.dim],
        callbacks=local,
    )
    recorded(config, parts)
    assert (config.loss.name, config.loss.options) == (LOSS, {"delta": 1, "gamma": 2})
    assert config.data.augment.more == ("tests.helpers.own_parts:dim",) * 2
    assert config.data.augment.options == {"tests.helpers.own_parts:dim": {"least": 0.9}}
    (name,) = config.train.callbacks
    assert name.startswith("<test_a_configuration") and name.endswith("local of tests.test_parts>")
    again = checked(from_dict(to_dict(config)))
    assert again == checked(config) and parts.find("callbacks", name) is local
    assert parts.find("loss", LOSS) is own_parts.loss
    with pytest.raises(
        InputError, match=r"config\.train\.callbacks: the run was made with <.*local.*>.*parts=Parts\(callbacks=\.\.\.\)"
    ):
        Parts().find("callbacks", name)


@pytest.mark.parametrize(
    "given",
    [{"loss": 3}, {"loss": "mine:loss"}, {"model": own_parts.Net(2)}, {"augment": [None]}, {"callbacks": ("mine:tell",)}],
)
def test_objects_that_are_no_functions_are_refused(given):
    with pytest.raises(InputError, match=r"^Parts\("):
        Parts(**given)


def test_every_part_has_a_field_and_all_but_callbacks_options():
    values = to_dict(Config())
    for name in [*FIELDS.values(), *OPTIONS.values()]:
        section = values
        for part in name.split("."):
            section = section[part]
    assert set(FIELDS) - set(OPTIONS) == {"callbacks"}


def test_options_of_one_of_several_parts():
    options = {"least": 0.5, "mine:a": {"least": 0.1, "most": 2}, "mine:b": {}}
    assert options_of(options, "mine:a") == {"least": 0.1, "most": 2}
    assert options_of(options, "mine:b") == options_of(options, "mine:c") == {"least": 0.5}

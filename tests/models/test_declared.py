from typing import Any

import flax.linen as nn
import pytest

from tests.helpers.foreign import Mixed, Plain
from yolojax.models import YOLOv3Tiny
from yolojax.models.declared import declares, image_size, train_argument


class Anything(nn.Module):
    def __call__(self, images, **options):
        return options


def test_fields_and_arguments_of_a_module():
    tiny = YOLOv3Tiny(3)
    assert all(declares(tiny, field) for field in ("axis_name", "frozen", "remat", "width"))
    assert not any(declares(Plain(), field) for field in ("axis_name", "frozen", "remat", "clone", "path"))
    assert train_argument(tiny, True) == train_argument(Mixed(), True) == train_argument(Anything(), True) == {"train": True}
    assert train_argument(tiny, False) == {"train": False}
    assert train_argument(Plain(), True) == {}


@pytest.mark.parametrize(
    ("size", "found"), [((64, 96), (64, 96)), ([64, 96], (64, 96)), ("small", None), (64, None), ((64.0, 9), None)]
)
def test_the_only_size_that_a_network_takes_is_its_attribute(size, found):
    class Sized(nn.Module):
        size: Any

    assert image_size(Sized(size)) == found and image_size(nn.Dense(3)) is None

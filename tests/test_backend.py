"""A network that finds the objects of a detector: its variables lie on the device."""

import jax
import numpy as np

from tests.test_inference import GRIDS
from tests.test_predict import GRID, NAMES, Colours
from yolojax.backend import NetworkBackend
from yolojax.inference import Recipe
from yolojax.models import YOLOv3Tiny, initialize
from yolojax.predict import Detector


def test_variables_are_put_on_the_device_once():
    network = YOLOv3Tiny(3, width=0.125)
    variables = initialize(network, 0)
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(variables))
    backend = NetworkBackend(network, variables, Recipe(GRIDS[1], NAMES))
    before = jax.tree.leaves(backend.variables)
    assert all(isinstance(leaf, jax.Array) for leaf in before)
    Detector.from_backend(backend)(np.zeros((64, 96, 3), np.uint8))
    assert all(one is other for one, other in zip(before, jax.tree.leaves(backend.variables), strict=True))


def test_variables_on_a_device_stay_where_they_are():
    device = jax.devices()[-1]
    variables = jax.device_put({"params": {"bias": np.ones(3, np.float32)}}, device)
    backend = NetworkBackend(Colours(), variables, Recipe(GRID, NAMES))
    assert backend.variables["params"]["bias"].devices() == {device}

"""A workdir as a run leaves it, with an untrained network that finds plenty: nothing to wait for."""

import jax
import numpy as np
import pytest

from tests.helpers.saved_run import save_run
from tests.helpers.tiny_config import get_config
from yolojax.data.digits import compose_scene, split_digits
from yolojax.models import YOLOv3Tiny, initialize
from yolojax.runs.workdir import load_run


@pytest.fixture(scope="session")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "run"
    config = get_config()
    config.data.size = (64, 96)

    def louder(path, leaf):
        return leaf * 30 if path[-1].key == "kernel" and path[-2].key == "head" else leaf

    variables = initialize(YOLOv3Tiny(10, width=config.model.width), 0)
    save_run(folder, config, 3, jax.tree_util.tree_map_with_path(louder, variables))
    return folder


@pytest.fixture(scope="session")
def run(workdir):
    return load_run(workdir)


@pytest.fixture(scope="session")
def pictures():
    """Four scenes of the size of the run's input."""
    scenes = [compose_scene(np.random.default_rng(i), *split_digits()[1], size=96).image for i in range(4)]
    return np.stack(scenes)[:, 16:80]

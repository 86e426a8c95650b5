"""A workdir as a run leaves it, with an untrained network that finds plenty: nothing to wait for."""

import jax
import numpy as np
import pytest

from tests.tiny_config import get_config
from yolojax.config import to_dict
from yolojax.data.digits import compose_scene, split_digits
from yolojax.evaluation.report import write_json
from yolojax.models import build_model, initialize
from yolojax.training.checkpoints import Checkpoints
from yolojax.training.loop import resolve
from yolojax.training.runs import load_run, make_meta


@pytest.fixture(scope="session")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "run"
    config = get_config()
    config.data.sizes, config.data.size = (), (64, 96)
    config, _ = resolve(config)

    def louder(path, leaf):
        return leaf * 30 if path[-1].key == "kernel" and path[-2].key == "head" else leaf

    variables = jax.tree_util.tree_map_with_path(louder, initialize(build_model(config.model), 0))
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(3, {"ema": variables}, make_meta(config, {}, []))
    write_json(folder / "config.json", to_dict(config))
    return folder


@pytest.fixture(scope="session")
def run(workdir):
    return load_run(workdir)


@pytest.fixture(scope="session")
def pictures():
    """Four scenes of the size of the run's input."""
    scenes = [compose_scene(np.random.default_rng(i), *split_digits()[1], size=96).image for i in range(4)]
    return np.stack(scenes)[:, 16:80]

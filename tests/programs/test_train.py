"""`yolojax train`: what its flags make of the one call of the library. test_programs.py runs it as users do."""

import contextlib
import json
import sys

import pytest

from tests.helpers.cfgs import FACE
from tests.helpers.face_files import write_face
from tests.helpers.flag_values import parsed
from tests.helpers.tiny_config import get_config
from tests.helpers.tiny_set import write_set
from yolojax.config import to_dict
from yolojax.errors import InputError
from yolojax.programs import train
from yolojax.programs.config_flag import prepare_config_arguments
from yolojax.runs.imported import import_weights
from yolojax.runtime.distributed import DistributedOptions
from yolojax.training import loop
from yolojax.training.pretrained import untrained_network

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


def run(monkeypatch, *flags):
    """Calls the program's main as the command line would."""
    # ml_collections reads sys.argv itself.
    monkeypatch.setattr(sys, "argv", ["train.py", *flags])
    with parsed(train.define, *flags) as arguments:
        train.main(arguments)


def test_configuration_workdir_and_profile_are_passed_on(calls, repository, monkeypatch):
    flags = [f"--config={repository}/tests/helpers/tiny_config.py", "--config.seed=5", "--workdir=runs/a", "--profile=3"]
    run(monkeypatch, *flags, "--process_id=1")
    options, (config, workdir, profile) = calls
    assert options == DistributedOptions(process_id=1)
    assert (config.seed, config.model.width, workdir, profile) == (5, 0.125, "runs/a", 3)


def test_a_cfg_without_weights_is_the_network(calls, repository, monkeypatch, tmp_path, capsys):
    cfg, _ = write_face(tmp_path)
    config = f"--config={repository}/tests/helpers/tiny_config.py"
    for flags in ([config], [config, f"--data={write_set(tmp_path / 'set')}"]):
        run(monkeypatch, *flags, f"--workdir={tmp_path}/run", f"--cfg={cfg}")
        config_given = calls[-1][0]
        assert (config_given.model.name, config_given.data.size) == ("darknet", (32, 32)) and not config_given.init_from
        assert f"{cfg}: a network for 10 classes; all its layers start anew\n" in capsys.readouterr().out


def test_weights_say_what_they_are_and_the_user_more(calls, repository, monkeypatch, tmp_path, capsys):
    _, weights = write_face(tmp_path)
    (tmp_path / "face.names").write_text("".join(f"{name}\n" for name in "abcdefghij"))
    data = write_set(tmp_path / "set", tuple("abcdefghij"), pictures=8)
    own, given = f"--workdir={tmp_path}/run", [f"--weights={weights}", f"--data={data}"]
    by_field = [f"--config.init_from={weights}", "--config.init_network=true", "--config.init_heads=adapt"]
    for flags, heads, rate in (
        (given, "adapt", 1e-4),
        ([*given, "--config.init_heads=anew"], "anew", 1e-4),
        ([*given, "--config=fine_tune"], "adapt", 1e-4),
        ([*given, "--config=data_set"], "adapt", 1e-3),
        ([given[0], f"--config.data.train={data}"], "adapt", 1e-4),
        ([given[1], "--config=fine_tune", *by_field], "adapt", 1e-4),
    ):
        arguments = prepare_config_arguments([own, *flags])
        run(monkeypatch, *arguments)
        config = calls[-1][0]
        assert (config.model.name, config.init_heads, config.init_network) == ("darknet", heads, False)
        assert config.optimizer.learning_rate == pytest.approx(rate), flags
        assert f"{weights}: its network is that of {tmp_path}/face.cfg" in (printed := capsys.readouterr().out)
        assert "network yolov3 " not in printed
    with pytest.raises(InputError, match=r"--weights takes the network of the weights; .* give --config\.init_from instead"):
        run(monkeypatch, own, *given, "--config.init_network=false")


def test_an_imported_network_wants_data(calls, monkeypatch, tmp_path):
    cfg, weights = write_face(tmp_path)
    import_weights(weights, cfg, tmp_path / "run")
    with pytest.raises(InputError, match=r"run holds an imported network; name the data to train it on with --data FOLDER"):
        run(monkeypatch, f"--workdir={tmp_path}/run")


def test_first_layers_leave_the_anchors_to_the_data(calls, monkeypatch, tmp_path, capsys):
    part = tmp_path / "darknet53.conv.74"
    part.touch()
    run(monkeypatch, f"--workdir={tmp_path}/run", f"--weights={part}", f"--data={write_set(tmp_path / 'set')}")
    assert "anchors: the published ones, best possible recall" in capsys.readouterr().out


def test_a_run_does_not_go_on_with_another_cfg(calls, monkeypatch, tmp_path):
    cfg, _ = write_face(tmp_path)
    workdir = tmp_path / "run"
    (workdir / "checkpoints/12").mkdir(parents=True)
    config = get_config()
    untrained_network(config, str(cfg), set())
    config.data.class_names = tuple("abcdefghij")
    config.model.num_classes = 10
    (workdir / "config.json").write_text(json.dumps(to_dict(config)))
    flags = [f"--workdir={workdir}", f"--cfg={cfg}"]
    run(monkeypatch, *flags)
    assert calls.pop()[0].model == config.model
    cfg.write_text(FACE.replace("filters=4", "filters=8"))
    with pytest.raises(InputError, match=r"run holds a run whose network is not that of .*face\.cfg; leave out --cfg"):
        run(monkeypatch, *flags)


def test_arguments_are_refused_before_anything_is_done(calls):
    with parsed(train.define, "--workdir=runs/a", "more") as arguments, pytest.raises(InputError, match="'more'"):
        train.main(arguments)
    assert calls == []

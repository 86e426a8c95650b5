"""The programs as a user types them: train, stop, resume, evaluate, detect; and every way to get it wrong."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.data.test_video import make_video
from tests.helpers.programs import run_programs
from tests.helpers.tiny_config import get_config
from yolojax.data.digits import compose_scene, split_digits
from yolojax.data.images import read_image, write_image
from yolojax.runs.checkpoints import Checkpoints
from yolojax.runs.workdir import abstract_arrays
from yolojax.training.loop import resolve

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = REPOSITORY / "tests" / "helpers" / "tiny_config.py"
TOTAL_STEPS = 30
# Seconds after which a program counts as one that hangs, also where many others run beside it.
LIMIT = 1200


@pytest.fixture(scope="session")
def environment():
    """One CPU device, as users have it; compiled as the tests are."""
    flags = [flag for flag in os.environ["XLA_FLAGS"].split() if "device_count" not in flag and "gpu" not in flag]
    return os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": " ".join(flags)}


def start(environment, *arguments, before=(), **options):
    command = [*before, sys.executable, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def run(environment, *arguments, **options):
    with start(environment, *arguments, **options) as process:
        out, err = end_of(process)
    return process.returncode, out, err


def end_of(process):
    """Waits for the end of a program; returns what it printed, on stdout and on stderr."""
    try:
        return process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def succeed(environment, *arguments, **options):
    """Runs a program to its end, in silence on stderr; returns what it printed."""
    status, out, err = run(environment, *arguments, **options)
    assert status == 0 and not err, err
    return out


@pytest.fixture(scope="session")
def finished(environment, tmp_path_factory):
    """The workdir of a run that was never stopped, and what it printed."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    return workdir, succeed(environment, "train.py", "--workdir", workdir, "--config", CONFIG)


def metrics_lines(workdir):
    batch_size = json.loads((workdir / "config.json").read_text())["train"]["batch_size"]
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        rate = line.pop("images_per_second")
        assert rate > 0
        if line["split"] == "train":
            parts = [line.pop(f"{part}_seconds") for part in ("data", "host", "device")]
            assert min(parts) >= 0 and sum(parts) * rate == pytest.approx(batch_size)
    return lines


def arrays(workdir, step):
    checkpoints = Checkpoints(workdir, read_only=True)
    on_one = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    saved = checkpoints._manager.item_metadata(step).state
    tree = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), saved.tree)
    return jax.tree.leaves(checkpoints.restore(step, abstract_arrays(tree, on_one)))


def test_a_run_leaves_what_it_promises(finished):
    workdir, out = finished
    assert {path.name for path in workdir.iterdir()} == {
        "config.json", "checkpoints", "metrics.jsonl", "tensorboard", "eval",
    }  # fmt: skip
    lines = metrics_lines(workdir)
    expected = [(step, "train") for step in range(5, 31, 5)] + [(step, "val") for step in (12, 24, 30)]
    assert [(line["step"], line["split"]) for line in lines] == sorted(expected)
    for line in lines:
        assert line["loss"] == pytest.approx(line["box"] + line["objectness"] + line["classification"], rel=1e-5)
    evaluation = workdir / "eval" / "val"
    metrics = json.loads((evaluation / "metrics.json").read_text())
    best = max((line for line in lines if line["split"] == "val"), key=lambda line: (line["ap50"], line["step"]))
    assert metrics["step"] == best["step"] and metrics["ap50"] == best["ap50"] and metrics["loss"] == best["loss"]
    assert set(metrics["per_class"]) == set("0123456789") and metrics["images"] == 12
    for result in json.loads((evaluation / "detections.json").read_text()):
        assert set(result) == {"image_id", "category_id", "bbox", "score"} and 0 <= result["image_id"] < 12
    assert read_image(evaluation / "sample_000.png").shape[1] > 900
    assert {path.name for path in evaluation.glob("[!s]*")} == {
        "metrics.json", "detections.json", "report.html",
        "precision_recall.png", "f1.png", "confusion.png", "loss.png", "ap.png",
    }  # fmt: skip
    report = (evaluation / "report.html").read_text()
    assert f"{metrics['best_f1']['f1']:.3f}" in report and report.count("<svg") == 4 and "The best" in report
    assert metrics["config"]["optimizer"]["ema_decay"] == 0.5 and metrics["run"] == "run"
    assert "VOC 11-point" in out and str(evaluation) in out and "step 25/30  loss" in out
    assert resolve(get_config())[0].data.class_names == tuple("0123456789")


def test_eval_repeats_the_numbers_of_training(environment, finished):
    workdir, out = finished
    path = workdir / "eval" / "val" / "metrics.json"
    before = json.loads(path.read_text())
    printed = succeed(environment, "eval.py", "--workdir", workdir)
    after = json.loads(path.read_text())
    assert after.pop("images_per_second") > 0 and before.pop("images_per_second") > 0
    stages = after.pop("stage_seconds")
    assert set(stages) == {"read", "forward", "nms"} and stages["read"] > 0 and stages["forward"] > 0
    assert after == before
    assert set(after["curves"]["precision"]) == set(after["confusion"]["names"]) - {"background"} == set("0123456789")
    table = out[out.index("class  ") : out.index("numbers, detections")]
    assert table in printed


@pytest.mark.slow  # tests/evaluation/report/test_compare.py does so without programs
def test_two_evaluations_side_by_side(environment, finished, tmp_path):
    workdir, _ = finished
    shutil.copytree(workdir / "eval/val", tmp_path / "before")
    printed = succeed(environment, "eval.py", "--workdir", workdir, "--checkpoint=last", "--compare", tmp_path / "before")
    page = workdir / "eval/val/compare_before.html"
    assert "run vs. before" in page.read_text() and str(page) in printed
    folders = tmp_path / "before", workdir / "eval/val"
    before, after = (json.loads((folder / "metrics.json").read_text()) for folder in folders)
    row = next(line for line in printed.splitlines() if line.startswith("AP50  "))
    values = after["ap50"], before["ap50"], after["ap50"] - before["ap50"]
    assert row.split()[1:] == [f"{values[0]:.3f}", f"{values[1]:.3f}", f"{values[2]:+z.3f}"]
    page.unlink()
    shutil.copytree(tmp_path / "before", workdir / "eval/val", dirs_exist_ok=True)
    status, _, err = run(environment, "eval.py", "--workdir", workdir, "--compare", tmp_path / "nowhere")
    assert status == 1 and err.count("\n") == 1 and "has no evaluation on the split 'val'; run: python eval.py" in err


def test_detect_draws_pictures_and_lists_boxes(environment, finished, tmp_path):
    workdir, _ = finished
    scene = compose_scene(np.random.default_rng(0), *split_digits()[1], size=160)
    folder = tmp_path / "my pictures"
    folder.mkdir()
    write_image(folder / "a scene.png", scene.image)
    write_image(folder / "wide.jpg", np.tile(scene.image, (1, 2, 1)))
    out = tmp_path / "out"
    printed = succeed(environment, "detect.py", "--workdir", workdir, "--out", out, "--score_threshold=0.001", folder)
    results = json.loads((out / "detections.json").read_text())
    assert [(Path(r["file"]).name, r["width"], r["height"]) for r in results] == [
        ("a scene.png", 160, 160), ("wide.jpg", 320, 160),
    ]  # fmt: skip
    for result in results:
        assert result["detections"]
        for found in result["detections"]:
            left, top, right, bottom = found["box"]
            assert 0 <= left < right <= result["width"] and 0 <= top < bottom <= result["height"]
            assert found["name"] == str(found["class"]) and 0.001 < found["score"] <= 1
    drawn = read_image(out / "a scene.png")
    assert drawn.shape == (480, 480, 3)  # enlarged, so that labels can be read
    assert str(out) in printed


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_detect_takes_paths_as_they_come_and_a_signal_keeps_what_was_done(environment, finished, tmp_path, stop):
    workdir, _ = finished
    scenes = [compose_scene(np.random.default_rng(seed), *split_digits()[1], size=96).image for seed in range(2)]
    for number, scene in enumerate(scenes):
        write_image(tmp_path / f"{number}.png", scene)
    out = tmp_path / "out"
    flags = ["--workdir", workdir, "--out", out, "--txt", "--crops", "--classes=3,7", "--augment", "--score_threshold=0.001"]
    # A shell that runs the tests in the background has them, and what they start, ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = start(environment, "detect.py", *flags, "-", stdin=subprocess.PIPE)
    signal.signal(signal.SIGINT, before)
    for number in range(2):
        process.stdin.write(f"{tmp_path}/{number}.png\n")
        process.stdin.flush()
        deadline = time.monotonic() + LIMIT
        while not (out / f"{number}.png").exists():  # before the next path is known
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
    process.send_signal(stop)
    _, err = end_of(process)
    assert process.returncode == 128 + stop and not err
    results = json.loads((out / "detections.json").read_text())
    assert [Path(result["file"]).name for result in results] == ["0.png", "1.png"]
    found = [found for result in results for found in result["detections"]]
    assert found and {entry["name"] for entry in found} <= {"3", "7"}
    labels = [line for number in range(2) for line in (out / "labels" / f"{number}.txt").read_text().splitlines()]
    assert len(labels) == len(found) == len(list(out.glob("crops/*/*.png")))


@pytest.mark.slow  # tests/export/test_darknet.py does the same within one process
def test_a_trained_run_as_darknets_files_finds_the_same(environment, finished, tmp_path):
    workdir, _ = finished
    write_image(tmp_path / "scene.png", compose_scene(np.random.default_rng(0), *split_digits()[1], size=160).image)
    succeed(environment, "-m", "yolojax", "export", workdir, "--to", "darknet", "--out", tmp_path / "out")
    cfg, weights, names = (tmp_path / f"out/model.{ending}" for ending in ("cfg", "weights", "names"))
    again = tmp_path / "again"
    succeed(environment, "-m", "yolojax", "import", weights, "--cfg", cfg, "--names", names, "--workdir", again)
    found = []
    for place, source in enumerate((["--workdir", workdir], ["--workdir", again], ["--cfg", cfg, "--weights", weights])):
        out = tmp_path / str(place)
        succeed(environment, "detect.py", *source, "--out", out, "--score_threshold=0.001", tmp_path / "scene.png")
        found.append(json.loads((out / "detections.json").read_text())[0]["detections"])
    assert found[1] and found[1] == found[2]
    assert found[0]  # resized otherwise, and the best class of a slot alone


def wait_for_steps(process):
    """Returns when the run, begun or resumed, has shown the first metrics of its own steps."""
    for line in process.stdout:
        if re.match(r"step \d+/\d+  loss", line):
            return
    raise AssertionError(process.communicate())


@pytest.mark.slow  # training/test_own_parts.py resumes a stopped run in the same process
def test_a_run_that_is_killed_and_resumed_ends_to_the_bit_as_one_that_was_not(environment, finished, tmp_path):
    expected, _ = finished
    workdir = tmp_path / "run"
    command = ("train.py", "--workdir", workdir, "--config", CONFIG)
    for stop, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 128 + signal.SIGTERM)):
        process = start(environment, *command)
        wait_for_steps(process)
        process.send_signal(stop)
        out, err = end_of(process)
        assert (process.returncode, err) == (status, ""), out
        if stop != signal.SIGKILL:
            saved = re.search(r"stopped; step (\d+) is saved", out)
            assert saved and (workdir / "checkpoints" / saved[1]).is_dir()
    out = succeed(environment, *command)
    assert re.search(r"resuming .* at step \d+", out)

    assert metrics_lines(workdir) == metrics_lines(expected)
    for ours, theirs in zip(arrays(workdir, TOTAL_STEPS), arrays(expected, TOTAL_STEPS), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow  # tests/training/test_step.py holds a step of eight devices to that of one
def test_eight_devices_train_as_one(environment, finished, tmp_path):
    expected, _ = finished
    eight = {**environment, "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    flags = ["--config.train.epochs=1", "--config.data.augment.mix_off_epochs=0"]
    out = succeed(eight, "train.py", "--workdir", tmp_path / "run", "--config", CONFIG, *flags)
    assert "on 8 CPU device(s)" in out
    # The schedule is shorter, so that only the steps before the cosine are the same.
    ours, theirs = (metrics_lines(workdir)[0] for workdir in (tmp_path / "run", expected))
    assert ours["step"] == theirs["step"] == 5
    for name in ("loss", "box", "objectness", "classification", "gradient_norm"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-4), name


@pytest.mark.slow
def test_the_demo_in_bfloat16_finds_the_digits_as_well_as_in_float32(environment, tmp_path):
    optimized = {name: value for name, value in environment.items() if name != "XLA_FLAGS"}
    ap50 = {}
    for dtype in ("float32", "bfloat16"):
        succeed(optimized, "train.py", "--workdir", tmp_path / dtype, f"--config.model.dtype={dtype}")
        ap50[dtype] = json.loads((tmp_path / dtype / "eval/val/metrics.json").read_text())["ap50"]
    print(ap50)
    assert ap50["float32"] > 0.9 and ap50["bfloat16"] == pytest.approx(ap50["float32"], abs=0.02)


@pytest.mark.slow  # tests/test_docs.py runs the code of the pages
def test_the_examples_of_the_readme_run(environment, finished, tmp_path):
    pages = [(REPOSITORY / page).read_text() for page in ("README.md", "docs/python.md")]
    blocks = [re.findall(r"```python\n(.*?)```", page, re.DOTALL) for page in pages]
    assert list(map(len, blocks)) == [2, 6]
    blocks = [*blocks[0], *blocks[1]]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "digits").symlink_to(finished[0])
    write_image(tmp_path / "scene.png", compose_scene(np.random.default_rng(0), *split_digits()[1]).image)
    make_video(tmp_path / "film.mp4", [read_image(tmp_path / "scene.png")] * 3, codec="mp4v")
    # Each with names of its own, as in a program of its own.
    program = "".join(f"exec({block!r}, {{}})\n" for block in blocks)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert (tmp_path / "frame0.png").exists()


@pytest.mark.slow
def test_a_finished_run_started_again_only_evaluates(environment, finished):
    workdir, _ = finished
    before = (workdir / "metrics.jsonl").read_bytes()
    out = succeed(environment, "train.py", "--workdir", workdir, "--config", CONFIG)
    assert "VOC 11-point" in out
    assert (workdir / "metrics.jsonl").read_bytes() == before


def make_list(tmp_path, line="picture.png 1,1,20,20,1"):
    rng = np.random.default_rng(0)
    for name in ("picture.png", "other.png"):
        write_image(tmp_path / name, rng.integers(0, 256, (64, 64, 3), np.uint8))
    write_image(tmp_path / "cut.jpg", rng.integers(0, 256, (64, 64, 3), np.uint8))
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "names").write_text("cat\ndog\n")
    (tmp_path / "list.txt").write_text(f"other.png 2,2,30,30,0\n{line}\n")
    return [
        "--config.data.source=list",
        f"--config.data.train={tmp_path}/list.txt",
        f"--config.data.val={tmp_path}/list.txt",
        f"--config.data.names={tmp_path}/names",
        "--config.train.batch_size=2",
        "--config.train.epochs=3",
    ]


MISTAKES = {
    "unknown flag": (["--wrkdir=x"], "Unknown command line flag 'wrkdir'"),
    "unknown field": (["--config.optimizer.learning_rat=1"], "optimizer.learning_rat: there is no such field; did you mean"),
    "wrong type": (["--config.train.batch_size=many"], "--config.train.batch_size=many: invalid literal for int"),
    "out of range": (["--config.data.size=(100,100)"], "config.data.size must be (height, width), multiples of 32"),
    "no config file": (
        ["--config=nowhere.py"],
        "--config: there is no config file 'nowhere.py'; give its path or one of bccd, ",
    ),
    "an argument": (["more"], "unexpected argument 'more'"),
    "no list": (["--config.data.train=nowhere.txt"], "nowhere.txt"),
    "malformed line": ("picture.png 1,1,20,1", "list.txt:2: '1,1,20,1' is not a box"),
    "class out of range": ("picture.png 1,1,20,20,2", "list.txt:2: class 2 has no name"),
    "inverted box": ("picture.png 20,1,1,20,0", "list.txt:2: box 20,1,1,20 has no area"),
    "box outside": ("picture.png 70,70,90,90,0", "list.txt:2: box 70,70,90,90 lies mostly outside"),
    "missing picture": ("nothing.png 1,1,20,20,1", "list.txt:2: there is no picture"),
    "truncated picture": ("cut.jpg 1,1,20,20,1", "cut.jpg"),
    "unreadable picture": ("broken.png 1,1,20,20,1", "list.txt:2"),
}


# Of these there are tests in tests/data, without a program to wait for.
SAID_BY_THE_READERS = {
    "class out of range", "inverted box", "box outside", "missing picture", "truncated picture", "unreadable picture",
}  # fmt: skip


QUICK = [mistake for mistake in MISTAKES if mistake not in SAID_BY_THE_READERS]


def mistaken(mistake, folder):
    """A command with a mistake, with its files in a folder, and what they hold."""
    what, _ = MISTAKES[mistake]
    lists = make_list(folder, what) if isinstance(what, str) else make_list(folder)
    flags = what if isinstance(what, list) else []
    config = [] if "--config=nowhere.py" in flags else ["--config", CONFIG]
    before = {path: path.read_bytes() for path in folder.iterdir()}
    return ["train.py", "--workdir", folder / "run", *lists, *flags, *config], before


def assert_refused(mistake, status, err, before):
    assert status in (1, 2), err
    assert err.count("\n") == 1 and err.startswith("train.py: error: "), err
    assert MISTAKES[mistake][1] in err
    assert {path: path.read_bytes() for path in before} == before


@pytest.fixture(scope="module")
def outcomes(environment, tmp_path_factory):
    """By mistake, the outcome of the program and what its files held before."""
    made = [mistaken(mistake, tmp_path_factory.mktemp("mistake")) for mistake in QUICK]
    done = run_programs(environment, [command for command, _ in made])
    return {mistake: (*outcome, before) for mistake, outcome, (_, before) in zip(QUICK, done, made, strict=True)}


@pytest.mark.parametrize("mistake", QUICK)
def test_a_mistake_is_one_line_and_damages_nothing(mistake, outcomes):
    status, _, err, before = outcomes[mistake]
    assert_refused(mistake, status, err, before)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", sorted(SAID_BY_THE_READERS))
def test_a_mistake_in_the_data_is_one_line_and_damages_nothing(mistake, environment, tmp_path):
    command, before = mistaken(mistake, tmp_path)
    status, _, err = run(environment, *command)
    assert_refused(mistake, status, err, before)


@pytest.mark.slow
def test_unreadable_pictures_may_be_skipped_and_are_counted(environment, tmp_path):
    flags = [*make_list(tmp_path, "broken.png 1,1,20,20,1"), "--config.data.on_unreadable=skip"]
    out = succeed(environment, "train.py", "--workdir", tmp_path / "run", "--config", CONFIG, *flags)
    lines = metrics_lines(tmp_path / "run")
    assert [line["unreadable"] for line in lines] == [1, 1, 3, 1]  # three validations, and in the last line three steps
    assert "1 unreadable pictures were left out" in out


def test_another_configuration_is_refused_and_the_run_is_as_it_was(environment, finished):
    workdir, _ = finished
    before = {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}
    status, _, err = run(environment, "train.py", "--workdir", workdir, "--config", CONFIG, "--config.seed=7")
    assert status == 1 and err.count("\n") == 1
    assert "another configuration (seed: 0 -> 7)" in err
    assert {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_a_disk_that_is_full_while_saving_is_one_line_and_the_run_goes_on_later(environment, finished, tmp_path):
    expected, _ = finished
    workdir = tmp_path / "run"
    command = ("train.py", "--workdir", workdir, "--config", CONFIG)
    # No file may grow over 8 KiB: the arrays of a checkpoint do not fit, as on a disk that is full.
    shell = ["bash", "-c", 'ulimit -f 8; exec "$@"', "limited", sys.executable, *map(str, command)]
    done = subprocess.run(shell, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=LIMIT)
    status, err = done.returncode, done.stderr
    assert status == 1, err
    assert err.count("\n") == 1 and "a checkpoint cannot be written: File too large; earlier checkpoints are" in err, err
    succeed(environment, *command)
    assert metrics_lines(workdir) == metrics_lines(expected)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_and_names_step_and_pictures(environment, tmp_path):
    workdir = tmp_path / "run"
    flags = ["--config.optimizer.learning_rate=1e30", "--config.optimizer.warmup_epochs=0"]
    status, _, err = run(environment, "train.py", "--workdir", workdir, "--config", CONFIG, *flags)
    assert status == 1 and err.count("\n") == 1
    assert re.search(r"step \d+: the loss is not finite .*; its pictures: scene \d+ of the training digits", err)


WRONG = [
    (["eval.py", "--workdir", "nowhere"], "nowhere/config.json does not exist; train first"),
    (["eval.py"], "workdir"),
    (["detect.py", "--workdir", "nowhere"], "name at least one picture"),
    (["detect.py", "--workdir", "nowhere", "--nodraw", "--nojson", "README.md"], "nothing would be written"),
    (["detect.py", "--workdir", "nowhere", "README.md"], "nowhere/config.json does not exist"),
    (["detect.py", "README.md"], "give --workdir for a run, or --cfg and --weights for a Darknet"),
    (["detect.py", "--cfg", "a", "README.md"], "give --workdir for a run, or --cfg and --weights for a Darknet"),
    (["detect.py", "--cfg", "a", "--weights", "b", "--checkpoint=1", "README.md"], "--checkpoint is not used with --cfg"),
    (["detect.py", "--workdir", "a", "--fit=stretch", "README.md"], "--fit is not used with --workdir"),
    (["detect.py", "--cfg", "a.cfg", "--weights", "b", "README.md"], "a.cfg: the cfg cannot be read"),
]


@pytest.fixture(scope="module")
def refused(environment):
    return run_programs(environment, [arguments for arguments, _ in WRONG])


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_mistakes_of_evaluation_and_detection(number, refused):
    status, _, err = refused[number]
    assert status in (1, 2) and err.count("\n") == 1 and WRONG[number][1] in err


def test_wrong_checkpoints_splits_and_sources_are_named(environment, finished, tmp_path):
    workdir, _ = finished
    cases = (
        (["eval.py", "--workdir", workdir, "--checkpoint=7"], "no checkpoint '7': best, last, "),
        (["eval.py", "--workdir", workdir, "--split=test"], "no split 'test'; expected one of train, val"),
        (["detect.py", "--workdir", workdir, "no.png"], "no.png: there is no such picture or folder"),
        (["detect.py", "--workdir", workdir, "--out", tmp_path, "--classes=3,cat", CONFIG], "no class 'cat'; the network"),
    )
    done = run_programs(environment, [arguments for arguments, _ in cases])
    for (_, message), (status, _, err) in zip(cases, done, strict=True):
        assert status == 1 and err.count("\n") == 1 and message in err


@pytest.mark.parametrize("program", ["train.py", "eval.py", "detect.py", "-m yolojax train"])
def test_help_names_every_flag_without_loading_jax(program, environment):
    # A JAX that cannot be loaded shows that help does not need it.
    status, out, err = run({**environment, "JAX_PLATFORMS": "nonsense"}, "-X", "importtime", *program.split(), "--help")
    assert status == 0 and "--workdir" in out and f"python {program} --workdir" in out
    assert "jax._src" not in err
    if "train" in program:
        assert "--config.optimizer.learning_rate=0.0001  peak learning rate" in out

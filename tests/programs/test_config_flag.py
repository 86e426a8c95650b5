"""--config takes the name of a configuration or the path of a file, and its overrides, in any order."""

import pytest

from yolojax.configs import config_names, config_path
from yolojax.errors import InputError
from yolojax.programs.config_flag import prepare_config_arguments


@pytest.mark.parametrize("name", config_names())
def test_a_name_stands_for_the_file_in_the_package(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_path(name).is_file()
    for given in (["--config", name], [f"--config={name}"], [f"-config={name}"]):
        assert prepare_config_arguments(["--workdir", "x", *given]) == [f"--config={config_path(name)}", "--workdir", "x"]


def test_an_argument_stays_behind_a_name_and_behind_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "digits").write_text("")  # a file of that name is not meant
    for given, path in (
        ("data_set:yolov3_tiny", f"{config_path('data_set')}:yolov3_tiny"),
        ("mine.py:yolov3_tiny", "mine.py:yolov3_tiny"),
        ("mine.py", "mine.py"),
        ("digits", str(config_path("digits"))),
        ("./digits", "./digits"),
    ):
        arguments = prepare_config_arguments(["--config.seed=3", "--config", given, "x"])
        assert arguments == [f"--config={path}", "--config.seed=3", "x"]


@pytest.mark.parametrize("name", ["digit", "nowhere.py", "nowhere.py:yolov3", "digits.py", ""])
def test_what_is_neither_is_refused_with_the_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        prepare_config_arguments(["--config", name])
    assert str(caught.value).startswith(f"--config: there is no config file {name.removesuffix(':yolov3')!r}; ")
    assert str(caught.value).endswith(f"one of {', '.join(config_names())}")


def test_without_config_the_arguments_stay():
    assert prepare_config_arguments(["--workdir", "x", "--config.seed=3"]) == ["--workdir", "x", "--config.seed=3"]

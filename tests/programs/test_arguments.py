"""What is asked of the arguments of every command."""

import pytest

from yolojax.errors import InputError
from yolojax.programs.arguments import refuse_slips


@pytest.mark.parametrize("value", ["", [""], ["photos", ""], ["", "photos"]])
def test_an_empty_value_is_refused_by_its_name(value):
    with pytest.raises(
        InputError, match=r"^--out is empty: give a value, or leave it out; perhaps a variable of the shell is not set$"
    ):
        refuse_slips({"--workdir": "runs/mine", "--out": value})


@pytest.mark.parametrize("value", ["photos", " ", [], ["photos"], None, False, 0])
def test_what_is_given_or_left_out_is_not_refused(value):
    refuse_slips({"--out": value})


@pytest.mark.parametrize("value", ["~/found", "~", ["photos", "~/found"]])
def test_a_home_folder_that_the_shell_left_as_it_is_is_refused(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^--out is '~.*: the shell has not put the home folder in the place of ~"):
        refuse_slips({"--out": value})
    (tmp_path / "~" / "found").mkdir(parents=True)
    refuse_slips({"--out": value})  # there is one of that name

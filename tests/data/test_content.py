"""Pictures by what is in their files."""

import hashlib
import os

import numpy as np
import pytest

from tests.helpers.noise_pictures import write_pictures
from yolojax.data.content import chosen_for_validation, content_hashes


def test_the_share_is_that_of_the_hash(tmp_path):
    paths = [str(write_pictures(tmp_path / "in", range(60)).with_name(f"{number}.png")) for number in range(60)]
    hashes = content_hashes(paths)
    for share in (0.1, 0.5, 0.9):
        assert chosen_for_validation(paths, share).tolist() == [number / 2**64 < share for number in hashes]
    assert content_hashes([str(tmp_path / "absent.png"), paths[3]]) == [None, hashes[3]]


def test_the_hash_is_that_of_the_bytes(tmp_path):
    contents = [b"", b"one", b"two" * 1_000_000]  # the last is longer than a block
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
    expected = [int(hashlib.blake2b(content, digest_size=8).hexdigest(), 16) for content in contents]
    assert content_hashes([str(tmp_path / str(number)) for number in range(3)]) == expected


def test_what_cannot_be_read_is_for_training(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text(name)
    paths = [str(tmp_path / name) for name in ("absent", "a", "b", "c", "nul\0")]
    assert content_hashes([str(tmp_path), paths[0], paths[-1]]) == [None] * 3
    chosen = chosen_for_validation(paths, 0.999999)
    assert not chosen[0] and not chosen[-1] and 1 <= chosen.sum() <= 2


@pytest.mark.parametrize("share", [1e-9, 0.5, 0.999999])
def test_pictures_of_one_content_cannot_be_divided(tmp_path, share):
    for name in "ab":
        (tmp_path / name).write_text("the same")
    paths = [str(tmp_path / name) for name in ("a", "b", "absent")]
    assert chosen_for_validation(paths, share).tolist() == [False] * 3
    assert chosen_for_validation([], share).shape == (0,)


@pytest.mark.parametrize(("share", "picks"), [(1e-9, np.argmin), (0.999999999, np.argmax)])
def test_no_side_stays_empty(tmp_path, share, picks):
    for number in range(5):
        (tmp_path / str(number)).write_text(str(number))
    paths = [str(tmp_path / str(number)) for number in range(5)]
    chosen = chosen_for_validation(paths, share)
    alone = int(picks([int(hashlib.blake2b(str(number).encode(), digest_size=8).hexdigest(), 16) for number in range(5)]))
    assert chosen.tolist() == [(number == alone) == (picks is np.argmin) for number in range(5)]


def test_a_file_of_other_content_has_another_hash(tmp_path):
    path = str(tmp_path / "a")
    (tmp_path / "a").write_text("before")
    (before,) = content_hashes([path])
    state = os.stat(path)
    (tmp_path / "a").write_text("after!")  # as long as before
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert content_hashes([path]) != [before]

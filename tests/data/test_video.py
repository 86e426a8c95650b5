"""Videos read and written by OpenCV, small ones made here."""

import os

import numpy as np
import pytest

from yolojax.data.video import VideoFile, frames, open_video, properties
from yolojax.errors import InputError
from yolojax.runtime.opencv import cv2


def make_video(path, pictures, fps=10, codec="MJPG"):
    """Writes RGB pictures of one size, as Motion JPEG in .avi, which every OpenCV can, or with another codec."""
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, (width, height))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def levels(count):
    """Pictures of one colour each, red growing and blue falling."""
    return [np.full((64, 96, 3), (10 * n, 100, 250 - 10 * n), np.uint8) for n in range(count)]


def test_frames_are_numbered_rgb_and_in_order(tmp_path):
    path = make_video(tmp_path / "ö film.avi", levels(12))
    capture = open_video(path)
    assert properties(capture) == (10, 12)
    seen = list(frames(capture, path))
    assert [index for index, _ in seen] == list(range(12))
    for (_, frame), expected in zip(seen, levels(12), strict=True):
        assert frame.dtype == np.uint8 and frame.shape == (64, 96, 3)
        assert np.abs(frame.astype(int) - expected).max() <= 8
    assert not capture.isOpened()


def test_frames_left_early_release_the_video(tmp_path):
    capture = open_video(make_video(tmp_path / "film.avi", levels(5)))
    some = frames(capture, "film")
    assert next(some)[0] == 0 and capture.isOpened()
    some.close()
    assert not capture.isOpened()


def test_what_is_no_video_is_named_in_one_line(tmp_path, capfd):
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 100)
    whole = make_video(tmp_path / "whole.avi", levels(3)).read_bytes()
    (tmp_path / "head.avi").write_bytes(whole[:100])
    for source, message in (
        (tmp_path / "bad.mp4", "bad.mp4: not a video that OpenCV can read"),
        (tmp_path / "nowhere.mp4", "nowhere.mp4: there is no such video"),
        (tmp_path, "there is no such video"),
        (987, "camera 987 cannot be opened; check that it is connected"),
    ):
        with pytest.raises(InputError, match=message):
            open_video(source)
    with pytest.raises(InputError, match=r"head\.avi: (not a video|no frame could be read)"):
        list(frames(open_video(tmp_path / "head.avi"), tmp_path / "head.avi"))
    assert capfd.readouterr() == ("", "")


def test_a_video_is_written_and_has_its_name_once_it_is_whole(tmp_path):
    video = VideoFile(tmp_path / "drawn.mp4", 10)
    for picture in levels(6):
        video.write(picture)
    assert not (tmp_path / "drawn.mp4").exists()
    video.close()
    assert [path.name for path in tmp_path.iterdir()] == ["drawn.mp4"]
    capture = open_video(tmp_path / "drawn.mp4")
    assert properties(capture) == (10, 6)
    for (_, frame), expected in zip(frames(capture, "drawn"), levels(6), strict=True):
        assert np.abs(frame.astype(int) - expected).max() <= 20


def test_a_video_that_is_not_kept_leaves_nothing(tmp_path):
    video = VideoFile(tmp_path / "drawn.mp4", 10)
    video.write(levels(1)[0])
    video.close(keep=False)
    VideoFile(tmp_path / "never.mp4", 10).close()
    assert list(tmp_path.iterdir()) == []


def test_without_an_encoder_it_says_so(tmp_path, monkeypatch):
    class NoEncoder:
        def __init__(self, *_):
            pass

        def isOpened(self):
            return False

    monkeypatch.setattr(cv2, "VideoWriter", NoEncoder)
    with pytest.raises(InputError, match=r"drawn\.mp4: the video cannot be written: no MPEG-4 encoder .*--nodraw"):
        VideoFile(tmp_path / "drawn.mp4", 10).write(levels(1)[0])
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_is_cut_short_is_named_after_its_frames(tmp_path):
    whole = make_video(tmp_path / "whole.avi", levels(20))
    assert len(list(frames(open_video(whole), whole))) == 20
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 5])
    seen = []
    with pytest.raises(InputError, match=r"cut\.avi: only \d+ of 20 frames could be read, since the file is cut short"):
        seen.extend(index for index, _ in frames(open_video(cut), cut))
        raise AssertionError(seen)
    # Bytes behind its parts do not make a video one that is cut short.
    more = tmp_path / "more.avi"
    more.write_bytes(whole.read_bytes() + bytes(1000))
    assert len(list(frames(open_video(more), more))) == 20


def test_names_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"f\xfcr")
    folder = tmp_path / name
    folder.mkdir()
    os.rename(make_video(tmp_path / "film.avi", levels(6)), folder / f"{name}.avi")
    video = VideoFile(folder / f"{name}.mp4", 10)
    for _, frame in frames(open_video(folder / f"{name}.avi"), "film"):
        video.write(frame)
    video.close()
    assert sorted(os.listdir(folder)) == [f"{name}.avi", f"{name}.mp4"]
    assert len(list(frames(open_video(folder / f"{name}.mp4"), "drawn"))) == 6


def test_a_frame_of_another_size_is_not_lost(tmp_path):
    video = VideoFile(tmp_path / "drawn.mp4", 10)
    for picture in (levels(1)[0], np.zeros((32, 32, 3), np.uint8)):
        video.write(picture)
    video.close()
    assert [frame.shape for _, frame in frames(open_video(tmp_path / "drawn.mp4"), "drawn")] == [(64, 96, 3)] * 2


def test_a_folder_that_is_gone_is_named(tmp_path):
    video = VideoFile(tmp_path / "gone" / "drawn.mp4", 10)
    with pytest.raises(InputError, match=r"gone/drawn\.mp4: the video cannot be written: No such file or directory"):
        video.write(levels(1)[0])
    video.write(levels(1)[0])  # said once
    video.close()


def test_a_video_that_is_damaged_in_the_middle_is_read_on_and_named(tmp_path):
    video = VideoFile(tmp_path / "film.mp4", 10)
    rng = np.random.default_rng(0)
    for picture in levels(20):
        video.write(np.clip(picture + rng.integers(0, 60, picture.shape), 0, 255).astype(np.uint8))
    video.close()
    content = bytearray((tmp_path / "film.mp4").read_bytes())
    start = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 4
    content[start : start + len(content) // 3] = bytes(len(content) // 3)
    (tmp_path / "damaged.mp4").write_bytes(content)
    seen = []
    message = r"damaged\.mp4: only (\d+) of 20 frames could be read, since the file is damaged"
    with pytest.raises(InputError, match=message) as caught:
        for index, frame in frames(open_video(tmp_path / "damaged.mp4"), tmp_path / "damaged.mp4"):
            seen.append((index, int(frame[..., 2].mean())))
    assert str(len(seen)) in str(caught.value) and [index for index, _ in seen] == list(range(len(seen)))
    assert len(seen) > 8 and seen[-1][1] < 120  # blue falls: the last frames, behind the damage, are among them


def test_a_colon_in_a_relative_path_is_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_video("film.avi", levels(3))
    os.rename("film.avi", "12:30.avi")
    assert len(list(frames(open_video("12:30.avi"), "12:30.avi"))) == 3
    os.mkdir("out:1")
    video = VideoFile("out:1/drawn.mp4", 10)
    for picture in levels(3):
        video.write(picture)
    video.close()
    assert os.listdir("out:1") == ["drawn.mp4"]

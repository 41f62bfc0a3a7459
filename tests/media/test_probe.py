from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from mmx.media.frames import read_frames
from mmx.media.probe import Probe, probe

if TYPE_CHECKING:
    from tests.media.conftest import Odd, Shelf


def test_facts_are_those_of_the_row(odd: "Odd", shelf: "Shelf") -> None:
    found = probe(shelf[odd.name])
    assert (found.width, found.height) == odd.shown
    assert {name: getattr(found, name) for name in odd.facts} == odd.facts


def test_frames_and_duration_are_counted(odd: "Odd", shelf: "Shelf") -> None:
    found = probe(shelf[odd.name])
    frames = list(read_frames(shelf[odd.name]))
    end = float(frames[-1].time + frames[-1].duration)
    assert found.duration_from_content == pytest.approx(end, abs=0.05)
    assert found.frames_from_content == len(frames)


def test_the_header_counts_frames_that_an_edit_list_hides(shelf: "Shelf") -> None:
    found = probe(shelf["edited.mp4"])
    assert (found.frames_from_header, found.frames_from_content) == (50, 32)


def test_header_and_count_are_both_kept(shelf: "Shelf") -> None:
    silent, gap = probe(shelf["late.mkv"]), probe(shelf["gap.mkv"])
    assert (silent.frames_from_header, silent.frames_from_content) == (None, 25)
    assert (silent.duration_from_header, silent.duration_from_content) == (3.5, 1.0)
    assert gap.duration_from_content == 3.0


def test_a_silent_video_has_no_sound_facts(shelf: "Shelf") -> None:
    found = probe(shelf["plain.mp4"])
    sound = {f.name for f in fields(Probe) if f.name.startswith("audio_")}
    assert {getattr(found, name) for name in sound} == {None} and len(sound) == 5
    assert (found.sound_s, found.sound_peak, found.sound_rms) == (0.0, None, None)

"""Digests of streams: which edits of a file keep them, and what equal digests mean.

Every variant of every clip is decoded as the product does it. Where digests are equal, so are the
frames, their times and the wav; the table says which edits have to keep which digest.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import pytest

from mmx.media.audio import extract_audio
from mmx.media.faults import DEFAULT_LIMITS
from mmx.media.frames import read_frames
from mmx.media.probe import probe
from mmx.media.scan import scan
from mmx.media.source import Source, open_video
from mmx.media.streams import VideoDigest

if TYPE_CHECKING:
    from tests.media.conftest import Shelf


if TYPE_CHECKING:
    from tests.media.conftest import Program

H264 = "-c:v libx264 -preset ultrafast -bf 2 -pix_fmt yuv420p -threads 1"
CLIPS = {
    "h264.mp4": f"{H264} -c:a aac",
    "h264.mov": f"{H264} -c:a aac",
    "h264.mkv": f"{H264} -c:a aac",
    "h264.ts": f"{H264} -c:a aac",
    "mpeg4.avi": "-c:v mpeg4 -q:v 3 -threads 1 -c:a libmp3lame",
    "vp9.webm": "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -b:v 0 -crf 30 -threads 1 "
    "-c:a libopus",
    "mpeg2.ts": "-c:v mpeg2video -q:v 3 -bf 2 -threads 1 -c:a mp2",
    "wmv2.wmv": "-c:v wmv2 -q:v 3 -threads 1 -c:a wmav2",
}
TONE = "sine=f={f}:r=44100:d=1"
COPY = ("-map", "0", "-c", "copy")


@dataclass(frozen=True)
class Edit:
    """A change of a file: the options between the names of the input and the output."""

    name: str
    options: str
    video: bool
    """Whether the video digest stays the same."""
    sound: bool
    """Whether the sound digest stays the same."""
    suffix: str = ""
    """Of the new file; that of the old one where empty."""
    before: str = ""
    clips: tuple[str, ...] = tuple(CLIPS)


MP4 = ("h264.mp4", "h264.mov")
MODERN = (*MP4, "h264.mkv")
CODED = tuple(name for name in CLIPS if name != "wmv2.wmv")
EDITS = [
    Edit("title", "-map 0 -c copy -metadata title=Another", True, True, clips=CODED),
    Edit("title, sound by file", "-map 0 -c copy -metadata title=Another", True, False,
         clips=("wmv2.wmv",)),
    Edit("faststart", "-map 0 -c copy -movflags +faststart", True, True, clips=MP4),
    Edit("mov", "-map 0 -c copy", True, True, ".mov", clips=("h264.mp4",)),
    Edit("mp4", "-map 0 -c copy", True, True, ".mp4", clips=("h264.mov",)),
    Edit("matroska", "-map 0 -c copy", True, True, ".mkv", clips=("vp9.webm",)),
    Edit("milliseconds", "-map 0 -c copy", True, False, ".mkv", clips=("h264.mp4",)),
    Edit("later clock", "-map 0 -c copy -output_ts_offset 1", True, False,
         clips=(*MODERN, "h264.ts", "mpeg2.ts", "vp9.webm")),
    Edit("silent", "-map 0:v -c copy", True, False),
    Edit("another track", "-f lavfi -i sine=f=600:d=1 -map 0 -map 1 -c copy -c:a:1 aac", True, True,
         clips=MODERN),
    Edit("new sound", f"-f lavfi -i {TONE.format(f=880)} -map 0:v -map 1:a -c:v copy",
         True, False, clips=tuple(name for name in CLIPS if name != "mpeg4.avi")),
    Edit("late sound", "-itsoffset 0.04 -i {file} -map 0:v -map 1:a -c copy", True, False,
         clips=tuple(name for name in CLIPS if name != "mpeg4.avi")),
    Edit("new picture", "-map 0 -c:a copy -bf 2 -vf negate -threads 1 -pix_fmt yuv420p",
         False, True, clips=MODERN),
    Edit("turned", "-map 0 -c copy", False, True, before="-display_rotation:v:0 90", clips=MODERN),
    Edit("turned by nothing", "-map 0 -c copy", True, True, before="-display_rotation:v:0 0",
         clips=MODERN),
    Edit("wide pixels", "-map 0 -c copy -aspect 4:1", False, True, clips=MODERN),
    Edit("shorter", "-map 0 -c copy", False, False, before="-t 0.6"),
    Edit("encoded again", "", False, False),
]  # fmt: skip
CASES = [(clip, edit) for clip in CLIPS for edit in EDITS if clip in edit.clips]


@dataclass(frozen=True)
class Decoded:
    """The digests of a file, and what the product decodes from it."""

    video: str
    sound: str
    frames: str
    """Digest of pixels, numbers, times, and the rate at which shots are numbered."""
    wav: bytes


class DecodedClips:
    """Clips and their edits, each made and decoded once per session."""

    def __init__(self, folder: Path, program: "Program") -> None:
        self.folder, self._program = folder, program
        self._decoded: dict[Path, Decoded] = {}

    def clip(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            picture = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1"]
            sound = ["-f", "lavfi", "-i", TONE.format(f=440)]
            self._program.run(*picture, *sound, *CLIPS[name].split(), path)
        return path

    def edited(self, name: str, edit: Edit) -> Path:
        clip = self.clip(name)
        path = self.folder / f"{edit.name} {name}{edit.suffix}"
        if not path.exists():
            options = edit.options.format(file="\0").split()
            options = [str(clip) if option == "\0" else option for option in options]
            coding = CLIPS[name].split() if not edit.options else []
            self._program.run(*edit.before.split(), "-i", clip, *options, *coding, path)
        return path

    def decoded(self, path: Path) -> Decoded:
        if path not in self._decoded:
            self._decoded[path] = decode(path, self.folder / "sound.wav")
        return self._decoded[path]


def decode(path: Path, wav: Path) -> Decoded:
    digest = hashlib.sha256()
    for frame in read_frames(path):
        digest.update(f"{frame!r} {frame.time} {frame.duration}".encode())
        digest.update(frame.image.data)
    with open_video(path, DEFAULT_LIMITS) as source:
        digest.update(str(source.nominal_rate).encode())
    found = probe(path)
    sound = wav.read_bytes() if extract_audio(path, wav, rate=16000) else b""
    return Decoded(found.video_digest, found.sound_digest, digest.hexdigest(), sound)


@pytest.fixture(scope="session")
def decoded_clips(tmp_path_factory: pytest.TempPathFactory, program: "Program") -> DecodedClips:
    return DecodedClips(tmp_path_factory.mktemp("decoded_clips"), program)


@pytest.mark.parametrize(("clip", "edit"), CASES, ids=lambda value: getattr(value, "name", value))
def test_an_edit_changes_only_the_digests_of_what_it_changes(
    clip: str, edit: Edit, decoded_clips: DecodedClips
) -> None:
    before, after = probe(decoded_clips.clip(clip)), probe(decoded_clips.edited(clip, edit))
    assert (before.video_digest == after.video_digest) is edit.video
    assert (before.sound_digest == after.sound_digest) is edit.sound


def test_equal_digests_mean_equal_frames_and_equal_sound(decoded_clips: DecodedClips) -> None:
    paths = [decoded_clips.clip(name) for name in CLIPS]
    paths += [decoded_clips.edited(clip, edit) for clip, edit in CASES]
    equal = {"video": 0, "sound": 0}
    for one, other in combinations(map(decoded_clips.decoded, paths), 2):
        if one.video == other.video:
            equal["video"] += 1
            assert one.frames == other.frames
        if one.sound == other.sound:
            equal["sound"] += 1
            assert one.wav == other.wav
    assert min(equal.values()) > 50


def test_reading_twice_gives_the_same_digests(shelf: "Shelf") -> None:
    for name in ("plain.mp4", "packed.avi", "sound.mp4", "late.ts"):
        found = probe(shelf[name])
        assert found == probe(shelf[name])
        assert len(bytes.fromhex(found.video_digest + found.sound_digest)) == 64


def test_every_silent_video_has_the_same_sound(shelf: "Shelf") -> None:
    names = ("plain.mp4", "packed.avi", "late.ts")
    assert len({probe(shelf[name]).sound_digest for name in names}) == 1
    assert probe(shelf["sound.mp4"]).sound_digest != probe(shelf["plain.mp4"]).sound_digest


CHANGES: dict[str, Callable[[int, int], bytes | int | None]] = {
    "same": lambda stream, n: True,
    "same times": lambda stream, n: 40 * n,
    "other bytes": lambda stream, n: b"\0\0\0\2\x09\xf0" if n == 20 else True,
    "lost": lambda stream, n: None if n == 24 else True,
    "moved": lambda stream, n: 40 * n + 7 * (n == 24),
}


def video_digest(path: Path) -> str:
    """Return the digest of a file that need not be decodable."""
    digests: list[VideoDigest] = []

    def watch(source: Source) -> Callable[["av.Packet[Any]"], None]:
        digests.append(VideoDigest(source))
        return lambda packet: digests[0].add(packet) if packet.stream is source.video else None

    found = scan(path, DEFAULT_LIMITS, watch)
    return digests[0].hexdigest(found)


def test_a_packet_lost_changed_or_moved_changes_the_video(
    tmp_path: Path, program: "Program"
) -> None:
    source = tmp_path / "source.mkv"
    coding = H264.replace("-bf 2", "-bf 0").split()
    program.run("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", *coding, source)
    found = {}
    for name, change in CHANGES.items():
        path = tmp_path / f"{name}.mkv"
        program.remux(source, path, change)
        found[name] = video_digest(path)
    assert found["same"] == found["same times"] == probe(source).video_digest
    assert len(set(found.values())) == 4


def test_a_codec_whose_decoder_reads_more_has_the_digest_of_its_file(
    decoded_clips: DecodedClips,
) -> None:
    clip = decoded_clips.clip("wmv2.wmv")
    path = decoded_clips.folder / "longer.wmv"
    path.write_bytes(clip.read_bytes() + b"\0")
    before, after = probe(clip), probe(path)
    assert before.video_digest == after.video_digest
    assert before.sound_digest != after.sound_digest


def test_the_unit_of_time_is_not_in_the_video_digest(
    tmp_path: Path, decoded_clips: DecodedClips, program: "Program"
) -> None:
    path = tmp_path / "fine.mp4"
    program.run(
        "-i", decoded_clips.clip("h264.mp4"), *COPY, "-video_track_timescale", "90000", path
    )
    before, after = probe(decoded_clips.clip("h264.mp4")), probe(path)
    assert before.rate == after.rate == Fraction(25)
    assert before.video_digest == after.video_digest

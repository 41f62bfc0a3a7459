"""Damage videos in many ways, read them as ingest and the steps do, and tally what happens.

    python -m benchmarks.fuzz_media --mutants 2000 --seed 0
    python -m benchmarks.fuzz_media --first 500 --mutants 100 --only avi --keep DIR

Each mutant has a number, of which seed and films make it: a run can be made in parts.

Coded films (tests/shared/coded_film.py) in every accepted container are changed in their header,
their index, or their packets; each mutant is read in a process of its own, with limits of CPU time,
memory and time. An accepted mutant is compared with its original: numbers, times and pixels of all
frames, and the samples of the sound. Outcomes:

- `fault CODE`: refused with a reason. `same`: accepted, frames and sound are those of the original.
- `flagged`: accepted and different, and its row of sources.parquet says that something is amiss:
  damaged or missing pictures or sound, holes, a corrected clock, lengths that disagree, an unknown
  end after which the film was cut; or that damage to its sound is not noticed.
- `another`: a header says something else that is as legal: another aspect, rotation, rate, layout.
- `within`: different only in the content of some pictures or packets of sound, in a codec without
  checksums: no reader can know.
- `unseen`: frames or sound are missing, doubled or at other times, and nothing says so.
- `death SIGNAL`: the reader's process died; ingest makes that a rejected row.
- `hang`, `error`, `files`: no end, an exception that is no fault, files written. Exit code 1 for
  these and for `unseen`.
"""

import argparse
import os
import pickle
import random
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "shared"))

from coded_film import Film, make, number_of

from benchmarks.odd_sound import encode
from mmx.media.audio import extract_audio
from mmx.media.bounded import bounded
from mmx.media.faults import Limits, MediaFault
from mmx.media.frames import read_frames
from mmx.media.probe import Probe, probe
from mmx.media.wav import read_wav

FRAMES = 36
WALL_S = 90.0
"""Seconds after which a mutant counts as a hang."""
LIMITS = Limits(max_seconds=60.0, max_total_pixels=5e8, max_memory_gb=1.0)
MPEG2 = {"b": "1000000", "bf": "2"}
FILMS = {
    "mp4": Film(frames=FRAMES),
    "mov": Film(frames=FRAMES, video="mjpeg", video_options={}, pixels="yuvj420p",
                sound="pcm_s16le"),
    "fragmented.mp4": Film(frames=FRAMES, muxer={"movflags": "frag_keyframe+empty_moov"}),
    "mkv": Film(frames=FRAMES, sound="ac3"),
    "webm": Film(frames=FRAMES, video="libvpx", video_options={"deadline": "realtime"},
                 sound="libopus"),
    "avi": Film(frames=FRAMES, video="mpeg4", video_options={}, sound="libmp3lame"),
    "ts": Film(frames=FRAMES),
    "mpg": Film(frames=FRAMES, video="mpeg2video", video_options=MPEG2, sound="mp2"),
    "vob": Film(frames=FRAMES, video="mpeg2video", video_options=MPEG2, sound="ac3"),
    "flv": Film(frames=FRAMES),
    "ogv": Film(frames=FRAMES, video="libtheora", video_options={}, sound="libvorbis"),
    "wmv": Film(frames=FRAMES, video="wmv2", video_options={}, sound="wmav2", rate=44100,
                layout="stereo"),
}  # fmt: skip
"""One film per accepted container, in several codecs."""
INDEX_MARKS = (
    b"stts", b"stsc", b"stsz", b"stco", b"ctts", b"stss", b"elst", b"mdhd", b"tkhd", b"trun",
    b"tfdt", b"moof", b"idx1", b"strh", b"strf", b"avih", b"\x1c\x53\xbb\x6b", b"\x16\x54\xae\x6b",
    b"\x15\x49\xa9\x66", b"onMetaData", b"OggS", b"\x33\x26\xb2\x75", b"\x47\x40",
    b"\0\0\1\xba", b"\0\0\1\xbb",
)  # fmt: skip
"""Bytes at which tables, headers of packs and the like begin."""
FINE = 8.0
"""Mean difference of a picture's pixels, of 255, that counts as another picture."""
LEGAL = ("width", "height", "rotation", "sample_aspect", "rate", "audio_codec", "audio_rate",
         "audio_layout", "video_codec", "streams", "interlaced", "color_transfer", "field_order",
         "start_s", "pixel_format")  # fmt: skip
"""Facts that a header may change without the file being damaged."""
Mutation = Callable[[bytearray, random.Random], None]


@dataclass(frozen=True)
class Reading:
    """What was read from a file."""

    numbers: tuple[int, ...]
    times: tuple[float, ...]
    pictures: np.ndarray
    """uint8 N x height x width."""
    sound: np.ndarray
    facts: Probe


@dataclass
class Tally:
    """How many mutants had which outcome."""

    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By container, level, outcome."""
    notes: list[str] = field(default_factory=list)

    def total(self, *begins: str) -> int:
        """Return the number of mutants whose outcome begins with one of these."""
        return sum(n for (_, _, name), n in self.outcomes.items() if name.startswith(begins))


def read(path: Path, folder: Path) -> Reading:
    """Read all of a file, as ingest, scenes and audio do."""
    facts = probe(path, LIMITS)
    frames = [(f.time, f.image) for f in read_frames(path, pixels="gray", limits=LIMITS)]
    wav = folder / "out.wav"
    count = extract_audio(path, wav, rate=16000, limits=LIMITS)
    sound = np.array(read_wav(wav)) if count else np.zeros(0, np.int16)
    images = [image for _, image in frames]
    numbers = tuple(number_of(image) if image.shape[1] >= 24 else -1 for image in images)
    return Reading(numbers, tuple(float(t) for t, _ in frames), np.stack(images), sound, facts)


def at_header(data: bytearray, rng: random.Random) -> None:
    """Change bytes of the first two kilobytes."""
    _strike(data, rng, 0, min(2048, len(data)))


def at_index(data: bytearray, rng: random.Random) -> None:
    """Change bytes after one of INDEX_MARKS."""
    places = [at for mark in INDEX_MARKS for at in _places(data, mark)]
    start = rng.choice(places) if places else 0
    _strike(data, rng, start, min(start + 120, len(data)))


def at_packets(data: bytearray, rng: random.Random) -> None:
    """Change, drop, double or cut a part of the body."""
    start = rng.randrange(len(data) // 8, len(data) - 1)
    stop = min(len(data), start + rng.choice((1, 8, 188, 188 * 12, len(data) // 10)))
    kind = rng.randrange(6)
    if kind == 0:
        data[start:stop] = rng.randbytes(stop - start)
    elif kind == 1:
        data[start:stop] = bytes(stop - start)
    elif kind == 2:
        data[start:stop] = bytes(255 - value for value in data[start:stop])
    elif kind == 3:
        del data[start:stop]
    elif kind == 4:
        data[start:start] = data[start:stop]
    else:
        del data[start:]


LEVELS: dict[str, Mutation] = {"header": at_header, "index": at_index, "packet": at_packets}


def _places(data: bytearray, mark: bytes) -> Iterator[int]:
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + 1)


def _strike(data: bytearray, rng: random.Random, start: int, stop: int) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(start, stop)
        size = rng.choice((1, 1, 2, 4, 8))
        flipped = bytes([data[at] ^ 1 << rng.randrange(8)])
        large = b"\x7f" + b"\xff" * (size - 1)
        value = rng.choice((bytes(size), b"\xff" * size, large, rng.randbytes(size), flipped))
        data[at : at + len(value)] = value


def apart(path: Path, folder: Path) -> Reading | str:
    """Read a file in a forked process; return what was read, or the outcome in words."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiver)
        _answer(path, folder, sender)
    os.close(sender)
    answer, late = _receive(receiver, time.monotonic() + WALL_S)
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if late:
        return "hang"
    if os.WIFSIGNALED(status):
        return f"death {signal.Signals(os.WTERMSIG(status)).name}"
    found: Reading | str = pickle.loads(answer)
    return found


def _answer(path: Path, folder: Path, sender: int) -> None:
    """Read the file and send what was found; never return."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    found: Reading | str
    try:
        with bounded(path.stat().st_size, LIMITS):
            found = read(path, folder)
    except MediaFault as fault:
        found = f"fault {fault.code}"
    except BaseException:
        found = f"error {traceback.format_exc(limit=-3)}"
    with os.fdopen(sender, "wb") as pipe:
        pickle.dump(found, pipe)
    os._exit(0)


def _receive(receiver: int, until: float) -> tuple[bytes, bool]:
    """Return all bytes of a pipe, and whether time ran out before its end."""
    parts: list[bytes] = []
    try:
        while True:
            if not select.select([receiver], [], [], max(0.0, until - time.monotonic()))[0]:
                return b"", True
            part = os.read(receiver, 1 << 20)
            if not part:
                return b"".join(parts), False
            parts.append(part)
    finally:
        os.close(receiver)


def compare(found: Reading, original: Reading) -> str:
    """Return `same`, `flagged`, `another`, `within` or `unseen`."""
    frames = found.numbers == original.numbers and np.allclose(
        found.times, original.times, atol=0.002
    )
    pictures = frames and _alike(found.pictures, original.pictures)
    length = abs(len(found.sound) - len(original.sound)) < 800
    sound = length and _near(found.sound, original.sound)
    if pictures and sound:
        return "same"
    if _flagged(found, original) or (pictures and not found.facts.sound_damage_known):
        return "flagged"
    if any(getattr(found.facts, name) != getattr(original.facts, name) for name in LEGAL):
        return "another"
    # A picture that decodes to another one shows another number, too: times alone tell.
    evenly = len(found.times) == len(original.times) and np.allclose(
        found.times, original.times, atol=0.002
    )
    return "within" if evenly and length else "unseen"


def _alike(found: np.ndarray, original: np.ndarray) -> bool:
    if found.shape != original.shape:
        return False
    difference = np.abs(found.astype(np.int16) - original)
    return bool((difference.mean(axis=(1, 2)) < FINE).all())


def _near(found: np.ndarray, original: np.ndarray) -> bool:
    """Say whether two sounds have nearly the same samples, 20 ms apart at most in length."""
    size = min(len(found), len(original))
    difference = found[:size].astype(np.float64) - original[:size]
    return size == 0 or float(np.sqrt(np.mean(difference**2))) < 300


def _flagged(found: Reading, original: Reading) -> bool:
    """Say whether the facts of a file, without the original's, tell that something is amiss."""
    facts = found.facts
    if facts.concealed_pictures or facts.concealed_sound or facts.timeline:
        return True
    if facts.holes > original.facts.holes:
        return True
    if (facts.frames_from_header or facts.frames_from_content) != facts.frames_from_content:
        return True
    lengths = [facts.duration_from_content, facts.duration_from_header, facts.sound_s or None]
    known = [length for length in lengths if length is not None]
    if max(known) - min(known) > 0.05:
        return True
    prefix = original.numbers[: len(found.numbers)]
    return not facts.end_known and found.numbers == prefix


def mutants(
    numbers: range, seed: int, originals: dict[str, bytes]
) -> Iterator[tuple[int, str, str, bytes]]:
    """Yield (number, container, level, bytes): each container and level in turn."""
    kinds = [(name, level) for level in LEVELS for name in originals]
    for number in numbers:
        name, level = kinds[number % len(kinds)]
        rng = random.Random(f"{seed}-{number}")
        data = bytearray(originals[name])
        LEVELS[level](data, rng)
        yield number, name, level, bytes(data)


def fuzz(
    numbers: range, seed: int, films: dict[str, Film], keep: Path | None = None, only: str = ""
) -> Tally:
    """Read the mutants of these numbers, or of one container; copy the odd ones into `keep`."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = {name: _whole(folder, name, film) for name, film in films.items()}
        readings: dict[str, Reading] = {
            name: read(path, folder) for name, path in paths.items() if only in ("", name)
        }
        originals = {name: path.read_bytes() for name, path in paths.items()}
        for number, name, level, data in mutants(numbers, seed, originals):
            if name not in readings:
                continue
            path = folder / f"mutant.{name}"
            path.write_bytes(data)
            before = set(os.listdir(folder))
            found = apart(path, folder)
            outcome = found if isinstance(found, str) else compare(found, readings[name])
            if set(os.listdir(folder)) - before - {"out.wav"}:
                outcome = "files"
            _note(tally, name, level, outcome, number)
            if keep and outcome.startswith(("unseen", "hang", "error", "death", "files")):
                (keep / f"{number}.{name}").write_bytes(data)
    return tally


def _whole(folder: Path, name: str, film: Film) -> Path:
    """Make a film; PyAV has no encoder for Theora, which the ffmpeg program has."""
    if film.video != "libtheora":
        return make(folder / f"whole.{name}", film)
    source = make(folder / "source.mkv", Film(frames=film.frames, sound="pcm_s16le"))
    path = encode(source, folder, f"{name} {film.sound}")
    assert path is not None
    return path


def _note(tally: Tally, name: str, level: str, outcome: str, number: int) -> None:
    first = outcome.split("\n")[0] if outcome.startswith("error") else outcome
    tally.outcomes[name, level, first.split(" Traceback")[0]] += 1
    if outcome.startswith(("unseen", "hang", "error", "files", "death")):
        tally.notes.append(f"mutant {number} ({name}, {level}): {outcome}")


def report(tally: Tally) -> str:
    """Return the tally by outcome, then by container and level."""
    total: Counter[str] = Counter()
    for (_, _, outcome), count in tally.outcomes.items():
        total[outcome] += count
    lines = [f"{count:6}  {outcome}" for outcome, count in total.most_common()]
    table: dict[str, Counter[str]] = {}
    for (name, level, outcome), count in sorted(tally.outcomes.items()):
        table.setdefault(f"{name}, {level}", Counter())[outcome.split()[0]] += count
    lines += [f"{row}: {dict(counts)}" for row, counts in table.items()]
    return "\n".join([*lines, *tally.notes])


def main() -> int:
    """Print the tally; 1 if there is an outcome that must not be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--only", choices=FILMS, default="", help="one container")
    parser.add_argument("--keep", type=Path, help="folder for the odd mutants")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.mutants)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    tally = fuzz(numbers, options.seed, FILMS, options.keep, options.only)
    print(report(tally))
    return bool(tally.total("unseen", "hang", "error", "files"))


if __name__ == "__main__":
    sys.exit(main())

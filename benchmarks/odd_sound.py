"""Odd but legal sound: every encoder at hand in every container must be accepted and in time.

    python -m benchmarks.odd_sound            # all; or some: --only avi

A coded film (tests/shared/coded_film.py) is encoded by the ffmpeg program and read through mmx: its
frames must run on by one, and each burst of sound be at its frame to 20 ms. Exit code 1 otherwise.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "shared"))

from coded_film import Film, make
from read_back import see

FRAMES, BURSTS = 75, 2
LATE_S = 0.02
PICTURES = {
    "3gp": "libx264", "asf": "msmpeg4v3 -b:v 1M", "avi": "mpeg4 -q:v 3",
    "mpg": "mpeg2video -b:v 1M", "ogv": "libtheora -q:v 7", "vob": "mpeg2video -b:v 1M",
    "webm": "libvpx -b:v 1M -deadline realtime", "wmv": "wmv2 -b:v 1M",
}  # fmt: skip
"""Codec of the pictures by container; H.264 elsewhere."""
SOUNDS = """\
mkv aac
mkv ac3
mkv ac3 -ac 6
mkv dca -strict -2
mkv eac3 -ac 6
mkv flac
mkv flac -ar 96000
mkv flac -sample_fmt s32
mkv libmp3lame
mkv libmp3lame -q:a 5
mkv libopus
mkv libopus -ac 6 -mapping_family 1
mkv libvorbis
mkv mlp -strict -2
mkv mp2
mkv pcm_f64le
mkv pcm_s16le -ac 3
mkv pcm_s16le -ac 6
mkv pcm_s32le
mkv pcm_u8
mkv truehd -strict -2
mkv tta
mkv wavpack
mp4 aac
mp4 aac -ac 6
mp4 aac -ar 22050
mp4 aac -ar 96000
mp4 aac -movflags +faststart
mp4 aac -movflags frag_keyframe+empty_moov
mp4 ac3
mp4 flac -strict -2
mp4 libmp3lame
mp4 libopus -strict -2
mov adpcm_ima_qt
mov alac
mov pcm_f32le
mov pcm_mulaw -ar 8000
mov pcm_s16be -ac 6
mov pcm_s24le
f4v aac
3gp aac
3gp libopencore_amrnb -ar 8000 -ac 1
avi aac
avi ac3
avi adpcm_ima_wav
avi adpcm_ms
avi libmp3lame
avi libmp3lame -q:a 4
avi mp2
avi pcm_alaw
avi pcm_s16le
ts aac
ts aac -mpegts_flags latm
ts ac3
ts dca -strict -2
ts eac3
ts libmp3lame
ts libopus
ts mp2
ts pcm_bluray -mpegts_m2ts_mode 1
m2ts ac3
mpg mp2
vob ac3
flv aac
flv adpcm_swf -ar 44100
flv libmp3lame -ar 44100
flv nellymoser -ar 22050 -ac 1
flv pcm_s16le -ar 44100
wmv wmav1
wmv wmav2
asf libmp3lame
asf pcm_s16le
webm libopus
webm libopus -live 1
webm libvorbis
ogv flac
ogv libopus
ogv libvorbis
""".splitlines()
"""Container, codec of the sound, other options of the program."""


@dataclass(frozen=True)
class Row:
    """What became of one file."""

    sound: str
    """As in SOUNDS."""
    outcome: str
    """`right`, or what is wrong."""
    late_ms: float = 0.0
    """Of the burst that is furthest from its frame."""


def read_sounds(folder: Path, sounds: list[str]) -> Iterator[Row]:
    """Make each file in `folder` and read it."""
    film = make(folder / "film.mkv", Film(frames=FRAMES, sound="pcm_s16le"))
    for sound in sounds:
        path = encode(film, folder, sound)
        yield Row(sound, "there is no such encoder") if path is None else judge(sound, path)


def encode(film: Path, folder: Path, sound: str) -> Path | None:
    """Return the film with another sound; None where the program has no such encoder."""
    name, *options = sound.split()
    path = folder / f"{sound.replace(' ', '_')}.{name}"
    pictures = PICTURES.get(name, "libx264 -preset ultrafast").split()
    command = [get_ffmpeg_exe(), "-v", "error", "-y", "-i", film, "-c:v", *pictures]
    command += ["-threads", "1", "-pix_fmt", "yuv420p", "-c:a", *options, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Unknown encoder" in done.stderr:
        return None
    done.check_returncode()
    return path


def judge(sound: str, path: Path) -> Row:
    """Read a file through mmx and compare it with what was recorded."""
    try:
        seen = see(path)
    except Exception as error:
        return Row(sound, f"{type(error).__name__}: {error}")
    late = 1000 * max(map(abs, seen.late), default=0.0)
    if seen.numbers != list(range(FRAMES)):
        return Row(sound, "frames are wrong", late)
    if len(seen.heard) != BURSTS or late > 1000 * LATE_S:
        return Row(sound, "bursts are wrong", late)
    return Row(sound, "right", late)


def main() -> int:
    """Print a line per file and the number of right ones."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="begin of the lines to take, such as `avi`")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as folder:
        rows = list(read_sounds(Path(folder), [s for s in SOUNDS if s.startswith(only)]))
    for row in rows:
        print(f"{row.outcome:30} {row.late_ms:6.1f} ms  {row.sound}")
    made = [row for row in rows if row.outcome != "there is no such encoder"]
    right = [row for row in made if row.outcome == "right"]
    print(f"{len(right)} of {len(made)} are right")
    return len(right) != len(made)


if __name__ == "__main__":
    sys.exit(main())

"""Duplicates: precision and recall on transformed copies of films, among others.

    python -m benchmarks.duplicates --videos DIR --sample 30 --others 500 --simulated 8265

Generates films of the sample, adds the videos of a folder, makes copies of all of them with ffmpeg,
and looks for the copies among all films. A copy is found if it is paired with its film. Of the
others, which have no copies, the sample's pictures are signed without being encoded; simulated
films (`benchmarks/simulated_films.py`) are for the time that a large collection takes. The imprints
that tombstones have are tried on the same films.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio_ffmpeg

from benchmarks.simulated_films import sample_signatures, simulated_signatures
from mmx.media.faults import MediaFault
from mmx.media.probe import probe
from mmx.sample.generate import generate
from mmx.trailers.candidates import likely_pairs
from mmx.trailers.duplicates import near_duplicates
from mmx.trailers.imprint import Imprint
from mmx.trailers.signature import Signature, read_signature

SEED = 7
EVEN = "scale=trunc(iw/2)*2:trunc(ih/2)*2"
FILTERS = {
    "reencoded": "scale=trunc(iw*0.3)*2:trunc(ih*0.3)*2",
    "cropped": f"crop=iw*0.84:ih*0.84,{EVEN}",
    "barred": f"pad=ceil(iw/2)*2:ceil(ih*0.65)*2:0:(oh-ih)/2,{EVEN}",
    "watermarked": f"drawbox=x=iw*0.75:y=ih*0.8:w=iw*0.2:h=ih*0.15:color=white@0.7:t=fill,{EVEN}",
    "faster": f"setpts=PTS/1.05,{EVEN}",
    "trimmed": EVEN,
}
COPIED = ("remuxed", "dubbed")
"""Transforms that leave the stream of pictures as it is."""


def main() -> None:
    """Make the copies, look for them, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--videos", type=Path, help="a folder of videos of which to make copies")
    parser.add_argument("--sample", type=int, default=30, help="generated films to make copies of")
    parser.add_argument("--others", type=int, default=0, help="generated films without copies")
    parser.add_argument("--simulated", type=int, default=0, help="simulated films without copies")
    arguments = parser.parse_args()
    among = dict(sample_signatures(arguments.sample, arguments.others, SEED))
    among |= simulated_signatures(arguments.simulated)
    print(f"among {arguments.others} films of the sample and {arguments.simulated} simulated ones")
    with tempfile.TemporaryDirectory() as folder:
        copied = {path: make_copies(path, Path(folder)) for path in sources(arguments, folder)}
        measure(copied, among)


def sources(arguments: argparse.Namespace, folder: str) -> list[Path]:
    """Return the videos of which copies are made: of the sample, then of the user's folder."""
    made = generate(Path(folder) / "sample", max(arguments.sample, 1), SEED)
    films = sorted(path for path in made.videos.rglob("*") if path.name[:4].isdigit())
    given = sorted(arguments.videos.iterdir()) if arguments.videos else []
    return [*films[: arguments.sample], *(path for path in given if read(path))]


def make_copies(video: Path, folder: Path) -> dict[str, Path]:
    """Return the copies of a video by transform; those that ffmpeg cannot make are left out."""
    found = {}
    for name in (*FILTERS, *COPIED):
        path = folder / f"{video.stem}~{name}.mkv"
        if subprocess.run(command(video, name, path), capture_output=True).returncode == 0:
            found[name] = path
    return found


def command(video: Path, name: str, path: Path) -> list[str]:
    """Return the ffmpeg command of a transform."""
    tool, into = imageio_ffmpeg.get_ffmpeg_exe(), ["-y", str(path)]
    if name == "remuxed":
        return [tool, "-i", str(video), "-c", "copy", *into]
    if name == "dubbed":
        tone = ["-f", "lavfi", "-i", "sine=440", "-map", "0:v:0", "-map", "1:a", "-shortest"]
        return [tool, "-i", str(video), *tone, "-c:v", "copy", *into]
    encode = ["-vf", FILTERS[name], "-an", "-c:v", "libx264", "-crf", "30", "-preset", "veryfast"]
    if name != "trimmed":
        return [tool, "-i", str(video), *encode, "-pix_fmt", "yuv420p", *into]
    seconds = float(probe(video).duration_from_content or 0)
    part = ["-ss", f"{seconds * 0.12:.3f}", "-t", f"{seconds * 0.76:.3f}"]
    return [tool, *part, "-i", str(video), *encode, "-pix_fmt", "yuv420p", *into]


def measure(copied: dict[Path, dict[str, Path]], among: dict[str, Signature]) -> None:
    """Print recall by transform, overall, precision, and times."""
    paths = [*copied, *(path for each in copied.values() for path in each.values())]
    with timed() as took:
        signatures = {str(path): made for path in paths if (made := read(path))}
    print(f"{len(signatures)} videos signed: {took}")
    signatures |= among
    with timed() as took:
        likely = sum(1 for _ in likely_pairs([signatures[name] for name in sorted(signatures)]))
    print(f"{likely} likely pairs of {len(signatures)} films: {took}")
    with timed() as took:
        pairs = {(pair.first, pair.second) for pair in near_duplicates(signatures)}
    print(f"{len(pairs)} pairs, likely ones found and compared: {took}")
    show(pairs, copied)
    show_imprints(signatures, copied)


class Took:
    """Seconds that a part took."""

    clock = 0.0
    processor = 0.0

    def __str__(self) -> str:
        """Return both, in words."""
        return f"{self.clock:.1f} s, {self.processor:.1f} s of processor time"


@contextmanager
def timed() -> Iterator[Took]:
    """Yield what is filled in at the end."""
    took, clock, processor = Took(), time.perf_counter(), time.process_time()
    yield took
    took.clock, took.processor = time.perf_counter() - clock, time.process_time() - processor


def show(pairs: set[tuple[str, str]], copied: dict[Path, dict[str, Path]]) -> None:
    """Print how many copies are paired with their film, and how many pairs are of one film."""
    total = found = 0
    for name in (*FILTERS, *COPIED):
        wanted = [{str(film), str(each[name])} for film, each in copied.items() if name in each]
        count = sum(tuple(sorted(pair)) in pairs for pair in wanted)
        print(f"{name:12} {count} of {len(wanted)}")
        total, found = total + len(wanted), found + count
    right = sum(stem(first) == stem(second) for first, second in pairs)
    print(f"recall {found / max(total, 1):.3f}, precision {right / max(len(pairs), 1):.3f}")


def show_imprints(signatures: dict[str, Signature], copied: dict[Path, dict[str, Path]]) -> None:
    """Print how many copies the imprints of their films recognise, and how many other films."""
    right = wrong = copies = others = 0
    with timed() as took:
        for film in copied:
            imprint = Imprint.of(signatures[str(film)], film.stem)
            fitting = {name for name, each in signatures.items() if imprint.recognises(each)}
            mine = {str(path) for path in copied[film].values()} & signatures.keys()
            right, copies = right + len(fitting & mine), copies + len(mine)
            wrong += len(fitting - mine - {str(film)})
            others += len(signatures) - len(mine) - 1
    print(f"imprints recognise {right} of {copies} copies, {wrong} of {others} other films: {took}")


def read(path: Path) -> Signature | None:
    """Return the signature of a video, or nothing where it cannot be decoded."""
    try:
        return read_signature(path)
    except MediaFault:
        return None


def stem(name: str) -> str:
    """Return the name of the film that a path is of or a copy of."""
    return Path(name).stem.partition("~")[0]


if __name__ == "__main__":
    main()

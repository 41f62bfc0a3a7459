"""Duplicates: precision and recall on transformed copies of films, among others.

    python -m benchmarks.duplicates --videos DIR --sample 30

Generates films, adds the videos of a folder, makes copies of the folder's and of the first films
with ffmpeg, and looks for all copies among all. A copy is found if it is paired with its film.
"""

import argparse
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import imageio_ffmpeg

from mmx.media.faults import MediaFault
from mmx.media.probe import probe
from mmx.sample.generate import generate
from mmx.trailers.duplicates import near_duplicates
from mmx.trailers.signature import Signature, read_signature

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
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = generate(Path(folder) / "sample", max(arguments.sample + arguments.others, 1), 7)
        films = sorted(path for path in made.videos.rglob("*") if path.name[:4].isdigit())
        chosen = films[: arguments.sample]
        if arguments.videos:
            chosen += [path for path in sorted(arguments.videos.iterdir()) if read(path)]
        copied = {path: make_copies(path, Path(folder)) for path in chosen}
        measure([*dict.fromkeys([*films, *chosen])], copied)


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


def measure(films: list[Path], copied: dict[Path, dict[str, Path]]) -> None:
    """Print recall by transform, overall, precision, and times."""
    began = time.perf_counter()
    paths = [*films, *(path for each in copied.values() for path in each.values())]
    signatures = {str(path): made for path in paths if (made := read(path))}
    print(f"{len(signatures)} signatures, {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    pairs = {(pair.first, pair.second) for pair in near_duplicates(signatures)}
    print(f"{len(pairs)} pairs, {time.perf_counter() - began:.1f} s")
    wanted = {
        name: [{str(film), str(each[name])} for film, each in copied.items() if name in each]
        for name in (*FILTERS, *COPIED)
    }
    found = Counter(
        name for name, all_ in wanted.items() for pair in all_ if tuple(sorted(pair)) in pairs
    )
    for name, all_ in wanted.items():
        print(f"{name:12} {found[name]} of {len(all_)}")
    right = sum(stem(first) == stem(second) for first, second in pairs)
    total = sum(map(len, wanted.values()))
    print(f"recall {found.total() / max(total, 1):.3f}, precision {right / max(len(pairs), 1):.3f}")


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

"""One trailer's share of the stills step: its sheet, from its video, flow and sound."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmx.flow.sampling import evenly_spaced
from mmx.media.clip import Clip
from mmx.media.faults import Limits
from mmx.media.frames import read_frames
from mmx.media.wav import read_wav
from mmx.stills.motion import flow_pictures
from mmx.stills.sheet import Cells, blank, encode, fitted
from mmx.stills.sound import waves

FILE = "trailer.webp"


def stills_item(
    *,
    video: Path,
    flow: Path | None,
    sound: Path | None,
    rate: int,
    clips: Sequence[Clip],
    count: int,
    cells: Cells,
    limits: Limits,
    out: Path,
) -> dict[str, int]:
    """Write the sheet of a trailer to `out` / `trailer.webp`; none if it has no clip.

    Args:
        video: decoded once, up to the last frame that is shown.
        flow: its flow file; without one, nothing moves.
        sound: its wav file; without one it is silent.
        rate: samples of the sound per second.
        clips: all its clips.
        count: clips to show, evenly spaced over the trailer.
        cells: sizes.
        limits: bounds of decoding.
        out: an empty folder.

    Returns:
        The number of clips that the sheet shows, 0 if there is none.

    Raises:
        MediaFault: a fault of the video.
    """
    chosen = [clips[position] for position in evenly_spaced(len(clips), count)]
    if chosen:
        rows = _frames(video, chosen, cells, limits)
        rows[1:1] = [_flow(flow, chosen, cells), _sound(sound, rate, chosen, cells)]
        (out / FILE).write_bytes(encode(rows))
    return {"clips": len(chosen)}


def middle(clip: Clip) -> int:
    """Return the frame in the middle of a clip."""
    return (clip.start + clip.stop) // 2


def _frames(
    video: Path, chosen: Sequence[Clip], cells: Cells, limits: Limits
) -> list[list[np.ndarray]]:
    """Return a row with the middle frame of each clip, then one per frame of the previews."""
    rows = [[middle(clip) for clip in chosen]]
    for step in range(cells.previews):
        rows.append([clip.start + clip.length * step // cells.previews for clip in chosen])
    wanted = {frame for row in rows for frame in row}
    found = {
        frame.index: fitted(frame.image, cells)
        for frame in read_frames(video, wanted, limits=limits)
    }
    return [[found[frame] for frame in row] for row in rows]


def _flow(path: Path | None, chosen: Sequence[Clip], cells: Cells) -> list[np.ndarray]:
    """Return a picture of each clip's flow; black where there is none."""
    middles = {clip.index: middle(clip) for clip in chosen}
    drawn = {} if path is None else flow_pictures(path, middles)
    return [
        fitted(drawn[clip.index], cells) if clip.index in drawn else blank(cells) for clip in chosen
    ]


def _sound(path: Path | None, rate: int, chosen: Sequence[Clip], cells: Cells) -> list[np.ndarray]:
    """Return the wave of each clip."""
    samples = np.zeros(0, np.int16) if path is None else read_wav(path)
    return waves(samples, rate, chosen, cells)

"""Odd videos, each made in code and described by one row, and the ffmpeg program as the oracle.

A row says what its file proves, how the program makes it, and which filters the program needs to
show it as a person sees it. Turning is written out (`transpose`, not autorotation), so that the
direction comes from the row and not from the library under test.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

SCENE = "testsrc2=s={size}:r={rate}:d={seconds}"
TONE = "sine=f=440:r=44100:d={seconds}"
H264 = "-c:v libx264 -preset ultrafast -crf 18 -threads 1"
SHOW = "scale={width}:{height}:flags=bilinear:in_chroma_loc={chroma},format=rgb24"


@dataclass(frozen=True)
class Odd:
    """One odd file."""

    name: str
    proves: str
    options: str
    """The program's options between the generated input and the file."""
    size: str = "96x64"
    """As stored, unless `options` change it."""
    shown: tuple[int, int] = (96, 64)
    """Width and height as a person sees it."""
    rate: str = "25"
    seconds: float = 1.0
    before: str = ""
    """Filters of the oracle on pictures as stored."""
    after: str = ""
    """Filters of the oracle on RGB pictures of the shown size, before turning."""
    chroma: str = "left"
    """Where the codec puts chroma samples; it shows where pictures are scaled."""
    remux: str = ""
    """Options of a second, stream-copying run, input options and output options split by `|`."""
    sound: bool = False
    facts: dict[str, object] = field(default_factory=dict)
    """Fields of the probe."""
    times: bool = True
    """Whether the program reports true presentation times."""


ODD = [
    Odd("plain.mp4", "B-frames are put in order of presentation", f"{H264} -bf 2",
        facts={"video_codec": "h264", "pixel_format": "yuv420p", "interlaced": False,
               "rate": Fraction(25), "rotation": 0, "frames_from_header": 25,
               "frames_from_content": 25, "duration_from_content": 1.0}),
    Odd("ntsc.mkv", "the rate stays a fraction", H264, rate="24000/1001",
        facts={"rate": Fraction(24000, 1001), "container": "matroska,webm"}),
    Odd("variable.mkv", "times follow the file where the rate varies",
        f"{H264} -bf 2 -vf settb=1/1000,setpts='(N*40+15*sin(N))/1000/TB' -fps_mode vfr"),
    Odd("gap.mkv", "a pause of two seconds is no frame", f"{H264} -vf settb=1/1000,"
        "setpts='(N*40+2000*gte(N,12))/1000/TB' -fps_mode vfr"),
    Odd("late.ts", "time starts with the first frame, not with the container's clock",
        f"{H264} -bf 2", facts={"start_s": Fraction(37, 25)}),
    Odd("late.mkv", "the same where the header begins at 0", f"{H264} -output_ts_offset 2.5",
        facts={"start_s": Fraction(5, 2), "duration_from_content": 1.0}),
    Odd("right.mp4", "a telephone's film, to be turned a quarter to the right", H264,
        shown=(64, 96), remux="-display_rotation:v:0 -90|", after="transpose=clock",
        facts={"rotation": 90}),
    Odd("over.mp4", "upside down", H264, remux="-display_rotation:v:0 180|",
        after="hflip,vflip", facts={"rotation": 180}),
    Odd("left.mp4", "to be turned a quarter to the left", H264, shown=(64, 96),
        remux="-display_rotation:v:0 90|", after="transpose=cclock", facts={"rotation": 270}),
    Odd("mirror.mp4", "a selfie, mirrored", H264, remux="-display_hflip:v:0|", after="hflip"),
    Odd("odd444.mkv", "odd sizes without chroma subsampling",
        f"{H264} -vf scale=97:63,setsar=1 -pix_fmt yuv444p", shown=(97, 63)),
    Odd("odd420.webm", "odd sizes with half a chroma sample at the edge",
        "-c:v libvpx-vp9 -crf 20 -b:v 0 -cpu-used 8 -deadline realtime -threads 1 "
        "-vf scale=97:63,setsar=1 -pix_fmt yuv420p", shown=(97, 63), chroma="unknown",
        facts={"video_codec": "vp9"}),
    Odd("wide.mp4", "pixels wider than high become square", f"{H264} -vf setsar=4/3",
        shown=(128, 64), facts={"sample_aspect": Fraction(4, 3)}),
    Odd("narrow.mkv", "pixels narrower than wide, rounded", f"{H264} -vf setsar=8/9",
        shown=(85, 64), facts={"sample_aspect": Fraction(8, 9)}),
    Odd("turnedwide.mp4", "a picture that is turned and has odd pixels",
        f"{H264} -vf setsar=4/3", shown=(64, 128), remux="-display_rotation:v:0 -90|",
        after="transpose=clock"),
    Odd("tenbit.mkv", "10 bits become 8", f"{H264} -pix_fmt yuv420p10le",
        facts={"pixel_format": "yuv420p10le"}),
    Odd("fullrange.mov", "full range is not stretched twice",
        "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p", facts={"video_codec": "mjpeg"}),
    Odd("bt709.mp4", "the file's colour matrix is used",
        f"{H264} -vf scale=out_color_matrix=bt709 -colorspace bt709"),
    Odd("rgb.mkv", "RGB needs no conversion", "-c:v ffv1 -threads 1 -pix_fmt gbrp"),
    Odd("grey.mkv", "a film without colour", "-c:v ffv1 -threads 1 -pix_fmt gray"),
    Odd("field.ts", "interlaced: one progressive frame per frame",
        "-vf tinterlace=interleave_top,setfield=tff -c:v mpeg2video -b:v 2M "
        "-flags +ildct+ilme -threads 1", rate="50", before="yadif=mode=send_frame:deint=interlaced",
        facts={"interlaced": True, "video_codec": "mpeg2video"}),
    Odd("field264.mp4", "interlaced H.264 with reordered frames",
        f"{H264} -vf tinterlace=interleave_top,setfield=tff -flags +ildct+ilme -bf 2", rate="50",
        before="yadif=mode=send_frame:deint=interlaced", facts={"interlaced": True}),
    Odd("av1.webm", "AV1", "-c:v libsvtav1 -preset 12 -crf 30 -svtav1-params lp=1",
        facts={"video_codec": "av1"}),
    Odd("vp8.webm", "VP8", "-c:v libvpx -b:v 500k -deadline realtime -threads 1",
        facts={"video_codec": "vp8", "container": "matroska,webm"}),
    Odd("packed.avi", "MPEG-4 with B-frames in AVI", "-c:v mpeg4 -bf 2 -q:v 3 -threads 1",
        facts={"container": "avi"}),
    Odd("unordered.avi", "H.264 with B-frames in AVI, which stores no presentation times",
        f"{H264} -bf 2", times=False),
    Odd("flash.flv", "FLV", f"{H264} -bf 2"),
    Odd("windows.wmv", "WMV", "-c:v wmv2 -q:v 3 -threads 1", facts={"container": "asf"}),
    Odd("theora.ogv", "Ogg", "-c:v libtheora -q:v 7", facts={"video_codec": "theora"}),
    Odd("program.mpg", "an MPEG programme stream", "-c:v mpeg2video -q:v 3 -bf 2 -threads 1"),
    Odd("fragmented.mp4", "fragments instead of one table",
        f"{H264} -g 10 -movflags frag_keyframe+empty_moov"),
    Odd("edited.mp4", "an edit list that hides the frames before it", f"{H264} -g 50 -bf 2",
        seconds=2.0, remux="-ss 0.72|"),
    Odd("sound.mp4", "the sound track's facts", f"{H264} -c:a aac -ac 2", sound=True,
        facts={"audio_codec": "aac", "audio_rate": 44100, "audio_channels": 2, "audio_stream": 1}),
    Odd("a colon: 100%d -x.mp4", "a name that looks like a protocol and a pattern", H264),
]  # fmt: skip


def remux(source: Path, path: Path, change: Callable[[int, int], bytes | int | None]) -> None:
    """Copy the packets of `source` to `path`, some of them changed.

    `change(stream, n)` says of packet n of a stream what takes its place: other bytes, another
    time in milliseconds, nothing for None; True keeps it.
    """
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        streams = [new.add_stream_from_template(stream) for stream in old.streams]
        new.start_encoding()
        counts = [0] * len(streams)
        for packet in old.demux():
            if packet.size == 0:
                continue
            index = packet.stream_index
            changed = change(index, counts[index])
            counts[index] += 1
            if changed is None:
                continue
            if isinstance(changed, bytes):
                times = packet.pts, packet.dts, packet.time_base
                packet = av.Packet(changed)
                packet.pts, packet.dts, packet.time_base = times
            elif changed is not True:
                packet.time_base = Fraction(1, 1000)
                packet.pts, packet.dts, packet.duration = changed, changed, 40
            packet.stream = streams[index]
            new.mux(packet)


class Program:
    """The ffmpeg program, which decodes by itself and knows nothing of mmx."""

    @staticmethod
    def run(*arguments: str | Path) -> bytes:
        """Run it with no input from the terminal; return what it wrote to the pipe."""
        command = [get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, check=True).stdout

    remux = staticmethod(remux)

    def make(self, odd: Odd, folder: Path) -> Path:
        """Make the file of a row in `folder`."""
        path = folder / odd.name
        values = {"size": odd.size, "rate": odd.rate, "seconds": odd.seconds}
        inputs = ["-f", "lavfi", "-i", SCENE.format(**values)]
        if odd.sound:
            inputs += ["-f", "lavfi", "-i", TONE.format(**values)]
        first = folder / f"first-{odd.name}" if odd.remux else path
        self.run(*inputs, *odd.options.split(), f"file:{first}")
        if odd.remux:
            before, after = odd.remux.split("|")
            source = ["-i", f"file:{first}", "-c", "copy"]
            self.run(*before.split(), *source, *after.split(), f"file:{path}")
        return path

    def show(self, path: Path, odd: Odd) -> np.ndarray:
        """Return the frames of a row's file, uint8 N x height x width x 3, as a person sees them.

        None is dropped or doubled.
        """
        width, height = odd.shown[::-1] if "transpose" in odd.after else odd.shown
        scaled = SHOW.format(width=width, height=height, chroma=odd.chroma)
        raw = self.run(
            "-noautorotate", "-i", f"file:{path}", "-map", "0:v:0", "-fps_mode", "passthrough",
            "-vf", ",".join(filter(None, (odd.before, scaled, odd.after))),
            "-f", "rawvideo", "pipe:1",
        )  # fmt: skip
        return np.frombuffer(raw, np.uint8).reshape(-1, odd.shown[1], odd.shown[0], 3)

    def times(self, path: Path) -> list[Fraction]:
        """Return the presentation times of `path`, in seconds since the first frame."""
        text = self.run(
            "-copyts", "-i", f"file:{path}", "-map", "0:v:0", "-fps_mode", "passthrough",
            "-enc_time_base", "demux", "-c:v", "rawvideo", "-f", "framecrc", "pipe:1",
        ).decode()  # fmt: skip
        lines = text.splitlines()
        base = Fraction(next(line.split()[-1] for line in lines if line.startswith("#tb")))
        ticks = [int(line.split(",")[2]) for line in lines if not line.startswith("#")]
        return [(tick - ticks[0]) * base for tick in ticks]

    def sound(self, path: Path) -> np.ndarray:
        """Return the first sound track as it is, float32 N x channels at its own rate."""
        raw = self.run("-i", f"file:{path}", "-map", "0:a:0", "-f", "f32le", "pipe:1")
        return np.frombuffer(raw, np.float32)


class Shelf:
    """Odd files by name, each made once per session."""

    def __init__(self, folder: Path, program: Program) -> None:
        self._folder, self._program = folder, program
        self._rows = {odd.name: odd for odd in ODD}
        self._made: dict[str, Path] = {}

    def row(self, name: str) -> Odd:
        """Return the row that describes a file."""
        return self._rows[name]

    def __getitem__(self, name: str) -> Path:
        if name not in self._made:
            self._made[name] = self._program.make(self._rows[name], self._folder)
        return self._made[name]


@pytest.fixture(scope="session")
def program() -> Program:
    return Program()


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("odd"), program)


@pytest.fixture(params=ODD, ids=lambda odd: odd.name)
def odd(request: pytest.FixtureRequest) -> Odd:
    param: Odd = request.param
    return param

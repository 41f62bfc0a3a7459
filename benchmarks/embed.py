"""Embedding: what an embed step runs against the straightforward loop.

    python benchmarks/embed.py [EXPERT ...] [--video FILE] [--frames 240] [--batch 8] [--rounds 3]
                               [--workers N] [--json FILE]

Every frame of a video is embedded, once per worker, by turns in three ways:

- `loop`: one process decodes a frame in its full size, prepares it with Pillow, runs the network
  as its authors have it on this frame alone, and so on; with one thread of torch, and with torch's
  own number. The faster of the two is what the ratios refer to;
- `overlapped`: one process, as a worker runs it: a thread reads ahead while another fills batches
  and embeds them; batch norms are merged into convolutions, channels lie innermost, and small
  pictures are made by the decoder where the expert says so;
- `step`: the same in as many processes as there are cores, as the pipeline runs it.

A ratio is of the turns of one round, its median over the rounds. Beside it stand the processor's
milliseconds per sample of the loop with one thread and of `overlapped`, all threads together: on a
machine that others use too, these are what can be compared. Then the parts are timed alone, one
thread each: decoding, preparation, transfer (a batch is filled, brought to the device, normalised)
and network. The slower of what its two threads do is the limit of one overlapped process, and the
sum of all divided by the cores that of the step. Last comes what the network's arithmetic would
take at the speed of a large matrix product on the same device, which no implementation beats.

Without --video, waves and noise in 720p are encoded first; flow and sound are always made. A
network whose weights no package carries is random, which costs the same time.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import av
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from mmx.device import find_device
from mmx.experts.base import Expert, Packaged
from mmx.experts.forward import Embedder, reproducible
from mmx.experts.item import EmbedJob, embed_group
from mmx.experts.preprocess import Pixels
from mmx.experts.reading import read_samples
from mmx.experts.registry import get_expert
from mmx.experts.weights import Place, require
from mmx.flow.store import FlowHeader, FlowPair, FlowWriter, read_flow
from mmx.media.clip import Clip
from mmx.media.faults import Limits
from mmx.media.frames import read_frames
from mmx.media.wav import read_wav
from mmx.params import EmbedParams, ExpertEntry

LITE = ("lite_appearance", "lite_scene", "lite_motion", "lite_audio")
FPS, RATE = 25, 16000
FLOW_SIZE = (144, 256)


@dataclass(frozen=True)
class Figures:
    """What was measured for one expert. A sample is a frame, a stack or a patch of sound."""

    expert: str
    device: str
    workers: int
    samples: int
    loop_per_s: float
    overlapped_per_s: float
    step_per_s: float
    overlapped_ratio: float
    step_ratio: float
    loop_cpu_ms: float
    """Of the processor, all threads together, per sample; so is the next."""
    overlapped_cpu_ms: float
    decode_ms: float
    """Per sample, as are the next two."""
    prepare_ms: float
    transfer_ms: float
    network_ms: float
    gflop: float
    """Of the network per sample, as multiplications and additions; 0 for a descriptor."""
    matrix_gflop_per_s: float
    """Of a matrix product of 1024 x 1024, one thread."""

    @property
    def limit_per_s(self) -> float:
        """Samples per second of the slower thread of one overlapped process, alone."""
        return 1000 / max(self.decode_ms + self.prepare_ms, self.transfer_ms + self.network_ms)

    @property
    def arithmetic_ms(self) -> float:
        """Milliseconds per sample that the network's arithmetic takes at the least."""
        return 1000 * self.gflop / self.matrix_gflop_per_s

    def lines(self) -> str:
        """Return the figures for people."""
        names = ("decode", "prepare", "transfer", "network")
        parts = {name: getattr(self, f"{name}_ms") for name in names}
        total = sum(parts.values())
        shares = ", ".join(f"{p} {ms:.2f} ms ({ms / total:.0%})" for p, ms in parts.items())
        return (
            f"{self.expert} on {self.device}, {self.samples} samples; per second: "
            f"loop {self.loop_per_s:.1f}; overlapped {self.overlapped_per_s:.1f}, "
            f"ratio {self.overlapped_ratio:.2f}; step with {self.workers} workers "
            f"{self.step_per_s:.1f}, ratio {self.step_ratio:.2f}\n  processor: loop "
            f"{self.loop_cpu_ms:.1f} ms, overlapped {self.overlapped_cpu_ms:.1f} ms\n"
            f"  alone: {shares}; limits: "
            f"one process {self.limit_per_s:.1f}, all {1000 * self.workers / total:.1f}"
            f"\n  arithmetic: {self.gflop:.2f} GFLOP at {self.matrix_gflop_per_s:.0f} a second "
            f"would take {self.arithmetic_ms:.2f} ms, {self.arithmetic_ms / total:.0%} of the sum"
        )


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experts", nargs="*", default=LITE)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = []
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(options.workers, spawn) as pool,
    ):
        for expert in map(get_expert, options.experts):
            job = make_job(expert, options, Path(folder))
            figures.append(measure(expert, job, pool, options))
            print(figures[-1].lines(), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in figures], indent=1))


def measure(
    expert: Expert, job: EmbedJob, pool: ProcessPoolExecutor, options: argparse.Namespace
) -> Figures:
    """Return the figures of one expert, each way embedding `job` once per worker."""
    samples = [sample.data for sample in read_samples(job, expert)]
    turns = take_turns(job, pool, options.workers, options.rounds)
    middle = {way: statistics.median(turn[way] for turn in turns) for way in turns[0]}
    count = len(samples) * options.workers
    return Figures(
        expert=expert.name,
        device=find_device("auto"),
        workers=options.workers,
        samples=len(samples),
        loop_per_s=count / middle["loop"],
        overlapped_per_s=count / middle["overlapped"],
        step_per_s=count / middle["step"],
        overlapped_ratio=statistics.median(turn["loop"] / turn["overlapped"] for turn in turns),
        step_ratio=statistics.median(turn["loop"] / turn["step"] for turn in turns),
        loop_cpu_ms=middle["loop_cpu"] * 1000 / count,
        overlapped_cpu_ms=middle["overlapped_cpu"] * 1000 / count,
        **parts_ms(expert, job, samples),
    )


def take_turns(
    job: EmbedJob, pool: ProcessPoolExecutor, workers: int, rounds: int
) -> list[dict[str, float]]:
    """Return the seconds of every way in every round, after a turn of each that is not counted."""
    short = replace(job, clips=(replace(job.clips[0], stop=8, stop_s=2.0),))
    seconds = []
    for each in (short, *[job] * rounds):
        one, loop_cpu = spent(loop, each, workers, 1)
        many, _ = spent(loop, each, workers, torch.get_num_threads())
        ours, ours_cpu = spent(overlapped, each, workers)
        step, _ = spent(lambda each: list(pool.map(overlapped, [each] * workers)), each)
        seconds.append(
            {
                "loop": min(one, many),
                "overlapped": ours,
                "step": step,
                "loop_cpu": loop_cpu,
                "overlapped_cpu": ours_cpu,
            }
        )
    return seconds[1:]


def parts_ms(expert: Expert, job: EmbedJob, samples: list[np.ndarray]) -> dict[str, float]:
    """Return the parts of `Figures` that are measured alone, in one thread."""
    embedder = network(job, job.params.batch)
    size = embedder.batch
    batches = [samples[begin : begin + size] for begin in range(0, len(samples), size)]
    transfer = run = 0.0
    with reproducible():
        decode = spent(consume, decoded(expert, job))[0]
        read = spent(consume, read_samples(job, expert))[0]
        for batch in batches:
            begun = time.perf_counter()
            brought = bring(embedder, batch)
            arrived = time.perf_counter()
            embedder.run(brought)
            transfer += arrived - begun
            run += time.perf_counter() - arrived
        with FlopCounterMode(display=False) as counter:
            embedder.run(brought)
        speed = matrix_gflop_per_s(embedder.device)
    each = 1000 / len(samples)
    return {
        "decode_ms": decode * each,
        "prepare_ms": max(read - decode, 0) * each,
        "transfer_ms": transfer * each,
        "network_ms": run * each,
        "gflop": counter.get_total_flops() / size / 1e9,
        "matrix_gflop_per_s": speed,
    }


def bring(embedder: Embedder, batch: list[np.ndarray]) -> torch.Tensor:
    """Return a batch when it has arrived on the device."""
    brought = embedder.to_device(batch)
    wait_for(embedder.device)
    return brought


def matrix_gflop_per_s(device: torch.device, size: int = 1024) -> float:
    """Return the arithmetic of the fastest of some products of float32 matrices."""
    left, right = torch.ones(2, size, size, device=device)
    seconds = []
    for _ in range(10):
        started = time.perf_counter()
        left @ right
        wait_for(device)
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds) / 1e9


def wait_for(device: torch.device) -> None:
    """Wait until the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@torch.inference_mode()
def loop(job: EmbedJob, times: int, threads: int) -> None:
    """Read one sample, embed it alone, and so on, with so many threads of torch."""
    expert, single = customary(get_expert(job.expert)), original_network(job.expert, files_of(job))
    device, before = torch.device(find_device("auto")), torch.get_num_threads()
    torch.set_num_threads(threads)
    for _ in range(times):
        for sample in read_samples(job, expert):
            batch = torch.from_numpy(np.array(sample.data))[None].to(device)
            if isinstance(expert.preprocess, Pixels):
                batch = expert.preprocess.normalise(batch.movedim(-1, 1).contiguous())
            single(batch).cpu()
    torch.set_num_threads(before)


def customary(expert: Expert) -> Expert:
    """Return the expert with pictures resized by Pillow where it leaves that to the decoder."""
    pixels = expert.preprocess
    if not isinstance(pixels, Pixels) or not pixels.resize or pixels.resize.method != "decoder":
        return expert
    resize = replace(pixels.resize, method="pillow")
    return replace(expert, preprocess=replace(pixels, resize=resize))


def overlapped(job: EmbedJob, times: int = 1) -> None:
    """Embed the job as a worker does."""
    with reproducible():
        for result in embed_group([job] * times, network(job, job.params.batch)):
            if isinstance(result, Exception):
                raise result


def network(job: EmbedJob, batch: int) -> Embedder:
    """Return the network of a job, kept between turns; random where no package has its weights."""
    return built(job.expert, files_of(job), batch)


def files_of(job: EmbedJob) -> tuple[tuple[str, Path], ...]:
    """Return the files of a job's weights."""
    return tuple(job.weights.items())


@cache
def original_network(name: str, weights: tuple[tuple[str, Path], ...]) -> torch.nn.Module:
    """Build and keep a network as its authors have it."""
    return get_expert(name).build(dict(weights) or None).to(find_device("auto"))


@cache
def built(name: str, weights: tuple[tuple[str, Path], ...], batch: int) -> Embedder:
    """Build and keep a network."""
    expert = get_expert(name)
    network = expert.build(dict(weights) or None)
    return Embedder(expert, network, batch=batch, device=find_device("auto"))


def spent(function: Callable[..., object], *arguments: object) -> tuple[float, float]:
    """Return the seconds that a call takes, by the clock and of the processor."""
    started, used = time.perf_counter(), time.process_time()
    function(*arguments)
    return time.perf_counter() - started, time.process_time() - used


def consume(parts: Iterator[object]) -> None:
    """Take all parts and drop them."""
    for _ in parts:
        pass


def decoded(expert: Expert, job: EmbedJob) -> Iterator[object]:
    """Yield what is read of the artefact before any preparation."""
    assert job.source is not None
    if expert.reads == "flow":
        return read_flow(job.source)
    if expert.reads == "audio":
        return iter([read_wav(job.source)])
    size = getattr(expert.preprocess, "decoded_size", None)
    return read_frames(job.source, range(job.clips[0].stop), size=size, limits=job.limits)


def make_job(expert: Expert, options: argparse.Namespace, folder: Path) -> EmbedJob:
    """Return a job of one clip; its artefact is made in `folder` unless it is there."""
    makers = {"clips": make_video, "flow": make_flow, "audio": make_wav}
    source = folder / expert.reads
    if expert.reads == "clips" and options.video:
        source = options.video
    elif not source.exists():
        makers[expert.reads](source, options.frames)
    packaged = [weights for weights in expert.weights if isinstance(weights, Packaged)]
    found = require(packaged, Place(folder, folder / "lock"))
    return EmbedJob(
        expert=expert.name,
        source=source,
        clips=(Clip(0, 0, options.frames, 0.0, options.frames / FPS),),
        params=EmbedParams(
            experts={expert.name: ExpertEntry(reads=expert.reads)},
            frames_per_clip=0,
            batch=options.batch,
        ),
        limits=Limits(),
        out=folder,
        weights={status.weights.file: status.path for status in found},
    )


def make_video(path: Path, frames: int) -> None:
    """Encode moving waves with some noise in 1280x720, H.264."""
    y, x = np.mgrid[:720, :1280]
    noise = np.random.default_rng(0).normal(0, 8, (4, 720, 1280))
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for index in range(frames):
            waves = 127 + 90 * np.sin((x + y) / 60 + index / 5) + noise[index % 4]
            picture = np.stack([waves, 255 - waves, x % 256], axis=-1).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def make_flow(path: Path, frames: int) -> None:
    """Write one random flow image per frame."""
    generator = np.random.default_rng(0)
    with FlowWriter(path, FlowHeader(*FLOW_SIZE, bound=20.0)) as writer:
        for index in range(frames):
            image = generator.integers(118, 139, (*FLOW_SIZE, 2), dtype=np.uint8)
            writer.write(FlowPair(0, index, index + 1), image)


def make_wav(path: Path, frames: int) -> None:
    """Write noise that lasts as long as the frames."""
    noise = np.random.default_rng(0).normal(0, 3000, frames * RATE // FPS).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, len(noise), "NONE", ""))
        file.writeframes(noise.tobytes())


if __name__ == "__main__":
    torch.manual_seed(0)
    main()

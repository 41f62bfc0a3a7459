"""Films of shots of blurred noise, as pictures or as files, and copies of them."""

import subprocess
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

from mmx.trailers.signature import SIDE, Signature, sign

FPS = 24


def film(seed: int, seconds: int = 24) -> np.ndarray:
    """Shots of blurred noise, each drifting, of half a second to three: [frames, SIDE, SIDE]."""
    rng = np.random.default_rng(seed)
    frames: list[np.ndarray] = []
    while len(frames) < seconds * FPS:
        noise = cv2.GaussianBlur(rng.uniform(0, 255, (64, 64)), (0, 0), 6)
        low, high = sorted(rng.uniform(40, 240, 2))
        noise = low + (high - low) * (noise - noise.min()) / np.ptp(noise)
        for k in range(int(rng.integers(12, 72))):
            frames.append(noise[k % 24 : k % 24 + SIDE, 8 : 8 + SIDE])
    return np.asarray(frames[: seconds * FPS], np.uint8)


def times(pictures: np.ndarray, speed: float = 1.0) -> np.ndarray:
    """The times of a film's pictures, in seconds."""
    return np.arange(len(pictures)) / FPS / speed


def resized(pictures: np.ndarray) -> np.ndarray:
    """Pictures of any size at SIDE x SIDE."""
    return np.stack(
        [cv2.resize(each, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for each in pictures]
    )


def changed(pictures: np.ndarray, how: str) -> Signature:
    """The signature of a film after a transform."""
    rng = np.random.default_rng(5)
    if how == "noisy":
        pictures = np.clip(pictures + rng.normal(0, 4, pictures.shape), 0, 255).astype(np.uint8)
    if how == "cropped":
        pictures = resized(pictures[:, 2:-2, 2:-2])
    if how == "barred":
        pictures = resized(np.pad(pictures, ((0, 0), (6, 6), (0, 0)), constant_values=16))
    if how == "trimmed":
        pictures = pictures[3 * FPS + 5 : -4 * FPS]
    if how == "watermarked":
        pictures = pictures.copy()
        pictures[:, 24:30, 22:30] = 250
    if how == "darker":
        pictures = (pictures * 0.7).astype(np.uint8)
    return sign(times(pictures, 1.05 if how == "faster" else 1.0), pictures)


TRANSFORMS = ("noisy", "cropped", "barred", "trimmed", "watermarked", "darker", "faster")


def write_film(path: Path, seed: int) -> Path:
    """Encode a film, four times as large."""
    pictures = np.repeat(np.repeat(film(seed, seconds=16), 4, axis=1), 4, axis=2)
    size = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{4 * SIDE}x{4 * SIDE}", "-r", str(FPS)]
    _ffmpeg(*size, "-i", "-", *CODEC, str(path), pictures=pictures.tobytes())
    return path


def write_copy(film: Path, path: Path, filters: str) -> Path:
    """Encode a film again, through filters of ffmpeg."""
    _ffmpeg("-i", str(film), "-vf", filters, *CODEC, "-crf", "32", str(path))
    return path


def _ffmpeg(*arguments: str, pictures: bytes | None = None) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *arguments]
    subprocess.run(command, input=pictures, check=True)


CODEC = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")

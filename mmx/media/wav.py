"""Read the wav files of the audio step without loading them."""

import wave
from pathlib import Path

import numpy as np


def read_wav(path: Path) -> np.ndarray:
    """Return the samples of a wav file of `extract_audio` as a read-only int16 array.

    The array is mapped, not loaded: only the parts that are read take memory. Raise wave.Error for
    a file that is not a wav file, and ValueError for one that is shorter than its header says.
    """
    with open(path, "rb") as file, wave.open(file) as wav:
        count, offset = wav.getnframes(), file.tell()
    if count == 0:
        return np.zeros(0, np.int16)
    return np.memmap(path, np.dtype("<i2"), mode="r", offset=offset, shape=(count,))

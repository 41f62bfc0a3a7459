"""From the vectors of samples to one row per clip.

Vectors are added one by one in the order of the samples, in float64: the row depends neither on
where batches begin nor on how many there are.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mmx.experts.base import Expert

Vector = npt.NDArray[np.float32]


class Pool:
    """The rows of one job while samples are added."""

    def __init__(self, expert: Expert, clips: tuple[int, ...]) -> None:
        self.clips = np.array(clips, dtype=np.int32)
        self.samples = np.zeros(len(clips), dtype=np.int32)
        self.padded = np.zeros(len(clips), dtype=np.int32)
        self.vectors = Sequences(expert.width) if expert.sequence else Means(expert.width)

    def add(self, row: int, vector: Vector, padded: int) -> None:
        """Add the vector (width,) of one sample of clip number `row`."""
        self.samples[row] += 1
        self.padded[row] += padded
        self.vectors.add(row, vector)

    def table(self) -> pa.Table:
        """Return clip, embedding, samples, padded; a clip without samples has no row."""
        rows = np.flatnonzero(self.samples)
        return pa.table(
            {
                "clip": self.clips[rows],
                "embedding": self.vectors.column(rows, self.samples[rows]),
                "samples": self.samples[rows],
                "padded": self.padded[rows],
            }
        )


class Means:
    """Running sums, for the mean over the samples."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.sums: dict[int, npt.NDArray[np.float64]] = {}

    def add(self, row: int, vector: Vector) -> None:
        """Add one sample's vector."""
        self.sums[row] = self.sums.get(row, 0.0) + vector.astype(np.float64)

    def column(self, rows: npt.NDArray[np.int64], counts: npt.NDArray[np.int32]) -> pa.Array:
        """Return fixed_size_list<float32>[width], one per row."""
        sums = [self.sums[row] / count for row, count in zip(rows.tolist(), counts, strict=True)]
        flat = np.array(sums, dtype=np.float32).reshape(-1)
        return pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), self.width)


class Sequences:
    """Every sample's vector, in order."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.parts: dict[int, list[Vector]] = {}

    def add(self, row: int, vector: Vector) -> None:
        """Add one sample's vector."""
        self.parts.setdefault(row, []).append(vector.copy())

    def column(self, rows: npt.NDArray[np.int64], counts: npt.NDArray[np.int32]) -> pa.Array:
        """Return list<fixed_size_list<float32>[width]>, one per row."""
        parts = [vector for row in rows.tolist() for vector in self.parts[row]]
        flat = np.array(parts, dtype=np.float32).reshape(-1)
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), self.width)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        return pa.ListArray.from_arrays(offsets, vectors)

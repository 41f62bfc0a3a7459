"""Rows from vectors: means in a fixed order, sequences as they come."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pyarrow as pa

from mmx.experts.pooling import Pool
from mmx.experts.registry import get_expert

MEAN = replace(get_expert("lite_scene"), width=2)
SEQUENCE = replace(get_expert("lite_audio"), width=2)


def vectors(*rows: list[float]) -> list[np.ndarray]:
    return [np.array(row, dtype=np.float32) for row in rows]


def test_means() -> None:
    pool = Pool(MEAN, (3, 4, 9))
    for row, vector in zip([0, 0, 2], vectors([1, 2], [2, 6], [5, 5]), strict=True):
        pool.add(row, vector, padded=row)
    assert pool.table().to_pydict() == {
        "clip": [3, 9],
        "embedding": [[1.5, 4.0], [5.0, 5.0]],
        "samples": [2, 1],
        "padded": [0, 2],
    }


def test_sequences() -> None:
    pool = Pool(SEQUENCE, (0, 1, 2))
    for row, vector in zip([0, 2, 2], vectors([1, 2], [3, 4], [5, 6]), strict=True):
        pool.add(row, vector, padded=0)
    table = pool.table()
    assert table["clip"].to_pylist() == [0, 2]
    assert table["embedding"].to_pylist() == [[[1, 2]], [[3, 4], [5, 6]]]


def test_the_vector_is_copied_out_of_the_batch() -> None:
    pool, batch = Pool(SEQUENCE, (0,)), np.ones((1, 2), dtype=np.float32)
    pool.add(0, batch[0], padded=0)
    batch[:] = 7
    assert pool.table()["embedding"].to_pylist() == [[[1, 1]]]


def test_the_mean_of_many_is_exact_to_float32() -> None:
    drawn = np.random.default_rng(1).normal(size=(5_000, 2)).astype(np.float32) * 1e4 + 1
    pool = Pool(MEAN, (0,))
    for vector in drawn:
        pool.add(0, vector, padded=0)
    exact = [float(sum(map(Fraction, map(float, column))) / len(drawn)) for column in drawn.T]
    assert pool.table()["embedding"][0].as_py() == np.array(exact, np.float32).tolist()


def test_types_without_rows_are_those_with_rows() -> None:
    fixed = pa.list_(pa.float32(), 2)
    for expert, embedding in ((MEAN, fixed), (SEQUENCE, pa.list_(fixed))):
        full = Pool(expert, (0,))
        full.add(0, np.zeros(2, dtype=np.float32), padded=0)
        for table in (full.table(), Pool(expert, ()).table(), Pool(expert, (1, 2)).table()):
            assert table.schema.types == [pa.int32(), embedding, pa.int32(), pa.int32()]

"""PyArrow without pandas, in an interpreter of its own."""

import subprocess
import sys

CODE = """
import sys
from mmx.engine.startup import spare_pandas

spare_pandas()
import numpy
import pyarrow

table = pyarrow.table({"title": ["Alien", None], "clips": numpy.arange(2)})
assert table.to_pylist() == [{"title": "Alien", "clips": 0}, {"title": None, "clips": 1}]
assert "pandas" not in sys.modules
import pandas

assert len(pandas.DataFrame({"a": [1]})) == 1
"""


def test_tables_are_made_without_pandas_which_others_can_still_import() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)

"""How fast the explorer opens and moves, in headless Chromium, by number of films.

    python -m benchmarks.explorer [--films 7594 50000] [--spaces 2]

Prints for each size: bytes of the page; milliseconds until it is ready to use, and of those until
something is painted; milliseconds of one frame while zooming, of one with density and names of
clusters, and of one filter: median and worst of 30. Chromium runs without a GPU, on the processor
alone.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.chromium import Browser, Page
from mmx.report.explore import Columns, Layout, Space, explore

GENRES = 20
REPEATS = 30
TIMES = f"""
(() => {{
  const time = (call) => {{ const begun = performance.now(); call(); return performance.now() - begun; }};
  const map = maps[0], centre = [map.width / 3, map.height / 3];
  const frames = Array.from({{ length: {REPEATS} }}, (_, at) => time(() => map.zoom(at % 2 ? 0.9 : 1.2, centre)));
  const filters = Array.from({{ length: {REPEATS} }}, (_, at) => time(() => {{ search.value = String(at % 7); filter(); }}));
  Object.assign(state, {{ density: true, names: true }});
  const dense = Array.from({{ length: {REPEATS} }}, (_, at) => time(() => map.zoom(at % 2 ? 0.9 : 1.2, centre)));
  return {{ frames, filters, dense }};
}})()
"""  # noqa: E501


def simulate(films: int, folder: Path) -> Path:
    """Write a table of films in twenty clusters with places on two maps."""
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, GENRES, films)
    centres = rng.normal(size=(2, GENRES, 2)) * 4
    places = centres[:, cluster] + rng.normal(size=(2, films, 2))
    labels = [[f"Genre {at}", f"Genre {(at + 7) % GENRES}"] for at in cluster]
    table = pa.table(
        {
            "id": [f"film-{at:06d}" for at in range(films)],
            "title": [f"The {at * 7919 % 99991}th film" for at in range(films)],
            "year": rng.integers(1950, 2026, films),
            "genres": labels,
            **{
                f"{axis}{space}": places[space, :, at]
                for space in (0, 1)
                for at, axis in enumerate("xy")
            },
        }
    )
    path = folder / "films.parquet"
    pq.write_table(table, path)
    return path


def measure(browser: Browser, page: Path) -> dict[str, float]:
    """Open a page and return its times in milliseconds."""
    tab = Page(browser, 1440, 900)
    tab.open(page)
    painted = "performance.getEntriesByName('first-contentful-paint')[0]"
    tab.wait(f"{painted} && maps[0].width > 0")
    ready, paint = tab.run(f"[readyAt, {painted}.startTime]")
    times = tab.run(TIMES)
    tab.close()
    summary = {
        f"{what}_{name}": round(of(times[what]), 1)
        for what in ("frames", "dense", "filters")
        for name, of in (("median", statistics.median), ("worst", max))
    }
    return {"ready": round(ready), "paint": round(paint), **summary}


def main() -> None:
    """Measure every size and print one line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--films", type=int, nargs="+", default=[7594, 50000])
    options = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        parser.error("Chromium is not installed")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        browser = Browser(program, folder / "profile")
        for films in options.films:
            spaces = tuple(Space(f"space {at}", (f"x{at}", f"y{at}")) for at in (0, 1))
            page = folder / "page.html"
            explore(simulate(films, folder), Columns(spaces=spaces), Layout(), page)
            size = round(page.stat().st_size / 1e6, 1)
            print(json.dumps({"films": films, "megabytes": size, **measure(browser, page)}))
        browser.close()


if __name__ == "__main__":
    main()

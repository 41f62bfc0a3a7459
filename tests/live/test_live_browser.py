"""The live view in Chromium: a run is seen without a click, and the report is there anew."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chromium import Browser, Page
from mmx.live import serve
from mmx.project import Project

pytestmark = pytest.mark.browser


@pytest.fixture
def page(project: Project, tmp_path: Path) -> Iterator[Page]:
    """The live view of a project that has been run, opened."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    browser = Browser(program, tmp_path / "profile")
    with serve(project) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        opened = Page(browser)
        opened.send("Page.navigate", url=f"http://127.0.0.1:{server.server_address[1]}/")
        opened.wait("document.querySelectorAll('#steps tr').length > 5")
        yield opened
        server.shutdown()
    browser.close()


def test_a_run_is_seen_as_it_goes_on(page: Page, project: Project) -> None:
    assert page.text("#now") == "no run is going on" and page.text("#failures") == "none"
    assert page.run("document.querySelector('#steps progress').value") == 5
    tsv = project.layout.curves("train") / "plots/metrics/train_loss.tsv"
    tsv.parent.mkdir(parents=True)
    tsv.write_text("step\ttrain_loss\n1\t0.5\n2\t0.25\n")
    failure = {"step": "flow", "event": "failure", "item": "t00001", "reason": "<b>lost</b>"}
    with project.store.locked("flow"):
        project.store.note_run({**failure, "at": "2026-01-01T00:00:00Z"})
        page.wait("document.querySelector('#now').textContent.startsWith('at work: flow, process')")
        page.wait("document.querySelector('#failures').textContent.includes('t00001')")
    assert "<b>lost</b>" in page.text("#failures")
    page.wait("document.querySelectorAll('#curves polyline').length == 1")
    assert "train loss, 0.250 after 2 epochs" in page.text("#curves")


def test_the_report_appears_and_is_loaded_again(page: Page, project: Project) -> None:
    assert page.text("#report") == "not made yet"
    report = project.layout.page
    report.parent.mkdir(exist_ok=True)
    report.write_text("<title>first</title>")
    page.wait("document.querySelector('iframe')?.contentDocument.title == 'first'")
    report.write_text("<title>second</title>")
    page.wait("document.querySelector('iframe')?.contentDocument.title == 'second'")


def test_nothing_leaves_the_machine(page: Page) -> None:
    asked = page.run("performance.getEntriesByType('resource').map(each => each.name).join(' ')")
    assert asked and all(each.startswith("http://127.0.0.1:") for each in asked.split())

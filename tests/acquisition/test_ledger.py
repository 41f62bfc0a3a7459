"""The ledger is only added to, and a line that was cut off spoils no other."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmx.acquisition.ledger import (
    Attempt,
    History,
    LedgerError,
    append,
    ledger_path,
    origins,
    read_ledger,
)


def attempt(name: str, outcome: str = "gone", **told: str) -> Attempt:
    return Attempt(date="d", trailer_id=name, outcome=outcome, url="http://x.org", **told)


def test_lines_come_back_as_they_were_in_order(tmp_path: Path) -> None:
    ledger = tmp_path / "data" / "fetched.csv"
    odd = [attempt("-a", reason='=1+1, "quoted"'), attempt("_b", "fetched", uploader="été")]
    for each in odd:
        append(ledger, each)
    assert read_ledger(ledger) == odd
    assert ledger.read_text(encoding="utf-8").startswith("date,trailer_id,outcome,url")


def test_what_a_host_says_stays_on_one_line(tmp_path: Path) -> None:
    append(tmp_path / "l.csv", attempt("a", reason="one\ntwo\r\nthree\udcff"))
    (line,) = read_ledger(tmp_path / "l.csv")
    assert line.reason == "one two three?"


@pytest.mark.parametrize("torn", ["d,a,gone", 'd,a,gone,"htt', "d,a,gone,u,,,,,,,"])
def test_a_line_that_was_cut_off_costs_itself_at_most(tmp_path: Path, torn: str) -> None:
    ledger = tmp_path / "l.csv"
    append(ledger, attempt("first"))
    with ledger.open("a") as file:
        file.write(torn)
    append(ledger, attempt("last"))
    names = [each.trailer_id for each in read_ledger(ledger)]
    assert (names[0], names[-1]) == ("first", "last") and set(names[1:-1]) <= {"a"}


def test_many_at_once_lose_no_line(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(60)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: append(tmp_path / "l.csv", attempt(name)), names))
    assert sorted(each.trailer_id for each in read_ledger(tmp_path / "l.csv")) == sorted(names)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("a,b\n1,2\n")
    with pytest.raises(LedgerError, match="other columns"):
        read_ledger(tmp_path / "l.csv")


def test_history_keeps_what_was_fetched_and_the_last_end(tmp_path: Path) -> None:
    rows = [attempt("a", "fetched", sha256="1"), attempt("a", "gone"), attempt("a", "begun")]
    history = History.of(rows)
    assert (history.fetched["a"], history.latest["a"]) == (rows[0], rows[1])


def test_the_first_that_brought_a_file_is_its_origin(tmp_path: Path) -> None:
    for each in (attempt("a", "fetched", sha256="1"), attempt("b", "fetched", sha256="1")):
        append(ledger_path(tmp_path), each)
    assert origins(tmp_path)["1"].trailer_id == "a"


def test_a_ledger_from_before_the_year_was_written_is_read_and_added_to(tmp_path: Path) -> None:
    ledger = tmp_path / "fetched.csv"
    append(ledger, attempt("a"))
    lines = [line.rpartition(",")[0] for line in ledger.read_text().splitlines()]
    ledger.write_text("\n".join(lines) + "\n")
    append(ledger, attempt("b", year="1999"))
    assert [(each.trailer_id, each.year) for each in read_ledger(ledger)] == [
        ("a", ""),
        ("b", "1999"),
    ]

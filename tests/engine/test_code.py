"""The code digest: which edits change it, and which do not."""

import ast
import shutil
import sys
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from mmx.engine.code import code_digest, module_files, read_code, source_digest, text_digest
from mmx.engine.syntax import dump

SOURCE = '''
"""Module."""
from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from mmx.media.faults import MediaFault
from mmx.media.source import open_video, check_size as check

if TYPE_CHECKING:
    from torch import nn

__all__ = ["helper"]
ABOUT = dict(summary="A sentence.", licence="MIT")
LIMIT: int = 3
PLACE = "mmx.media.source"
log = logging.getLogger(__name__)

def helper(x: int, step: int = 2, *rest: str) -> int:
    """Say what."""
    total: int = x + LIMIT  # why
    later: float
    if total > 7:
        raise MediaFault("truncated", "a part of the data is missing")
    if total > 8:
        raise ValueError(f"{total} is too much for {x}") from KeyError("no such key: %s" % x)
    if total > 9:
        return MediaFault("too-long", "it is longer than {} s".format(x) + " and more")
    assert total > step, "odd"
    log.info("so far %d", total)
    warnings.warn("it is old", DeprecationWarning)
    print("done", total)
    check(total, order=1, mode="fast or slow")
    return np.sum(total)

def first(lines: Iterable[str]) -> Sequence[str]:
    from mmx.media.clip import Clip

    return Clip(*lines)

@dataclass
class Thing:
    field: int
    """Unit."""
    shared: ClassVar[int] = 3
    other: float = 2.0
    plain = 5
    about: dict = ABOUT

    def blank(self):
        """Do nothing."""
'''

NO_CHANGE = {
    "comment": ("# why", "# because"),
    "docstring": ('"""Say what."""', '"""Say it otherwise, at length."""'),
    "docstring of the module": ('"""Module."""', ""),
    "docstring of a field": ('"""Unit."""', '"""Pixels."""'),
    "docstring alone in a body": ('"""Do nothing."""', "pass"),
    "pass beside others": ("    total: int", "    pass\n    total: int"),
    "blank lines": ("\n\n@dataclass", "\n\n\n\n@dataclass"),
    "quotes": ('"fast or slow"', "'fast or slow'"),
    "layout": ("check(total, order=1,", "check(\n        total,\n        order=1,"),
    "annotation of an argument": ("x: int, step", "x: float, step"),
    "no annotation of an argument": ("x: int, step", "x, step"),
    "annotation of starred arguments": ("*rest: str", "*rest"),
    "annotation of a result": (") -> int:", ") -> 'float':"),
    "annotation of a constant": ("LIMIT: int = 3", "LIMIT = 3"),
    "annotation of a variable": ("total: int = x", "total = x"),
    "annotation without a value": ("later: float", "later: int"),
    "annotation of a field": ("field: int", "field: str"),
    "annotation of a class variable": ("ClassVar[int]", "ClassVar[float]"),
    "import for an annotation": (
        "import Iterable, Sequence\n",
        "import Collection, Sequence\nfrom fractions import Fraction\n",
        ("x: int,", "x: Fraction,"),
        ("Iterable[str]", "Collection[str]"),
    ),
    "import for type checking": ("from torch import nn", "from torch import Tensor"),
    "future import": ("from __future__ import annotations\n", ""),
    "message of a fault": ("a part of the data is missing", "some of the data has gone"),
    "message with a value": ('"a part of the data is missing"', 'f"{total} bytes are missing"'),
    "concatenated message": ('"a part of the data', '"a part" " of" + " the data'),
    "f-string": ("is too much for {x}", "exceeds {x!r}: {len(rest)}"),
    "message of a cause": ("no such key: %s", "no key %s"),
    "formatted message": ("it is longer than {} s", "it lasts longer than {} s"),
    "joined message": ('" and more"', '", ".join(rest)'),
    "message of an assertion": ('"odd"', '"even"'),
    "message of a log": ("so far %d", "until now %d"),
    "message of a warning": ("it is old", "it is rather old"),
    "printed message": ('"done"', '"ready"'),
    "description": ("A sentence.", "Another."),
    "description with an annotation": ("ABOUT = dict", "ABOUT: dict = dict"),
    "no description": ('ABOUT = dict(summary="A sentence.", licence="MIT")\n', ""),
    "exports": ('["helper"]', '["helper", "first"]'),
    "place of a module": ("from mmx.media.clip import", "from mmx.other.clips import"),
    "place of a module in a string": ('"mmx.media.source"', '"mmx.film.opening"'),
    "order of imports": ("import logging\nimport warnings\n", "import warnings\nimport logging\n"),
    "order of imported names": ("import Iterable, Sequence", "import Sequence, Iterable"),
    "two imports for one": (
        "from mmx.media.source import open_video, check_size as check",
        "from mmx.media.sizes import check_size as check\nfrom mmx.media.source import open_video",
    ),
}

CHANGE = {
    "constant": ("LIMIT: int = 3", "LIMIT: int = 4"),
    "type of a constant": ("LIMIT: int = 3", "LIMIT: int = 3.0"),
    "default": ("step: int = 2", "step: int = 3"),
    "no default": ("step: int = 2", "step: int"),
    "operator": ("x + LIMIT", "x - LIMIT"),
    "order of operands": ("x + LIMIT", "LIMIT + x"),
    "order of statements": (
        '    print("done", total)\n    check(total, order=1, mode="fast or slow")\n',
        '    check(total, order=1, mode="fast or slow")\n    print("done", total)\n',
    ),
    "order of keywords": ('order=1, mode="fast or slow"', 'mode="fast or slow", order=1'),
    "statement taken out": ('    check(total, order=1, mode="fast or slow")\n', ""),
    "another check": ("    assert total", "    if x: return 0\n    assert total"),
    "condition of an assertion": ("assert total > step", "assert total >= step"),
    "name of a function": ("def first", "def second"),
    "name of an argument": ("step: int = 2", "pace: int = 2"),
    "name of a field": ("field: int", "area: int"),
    "field without annotation": ("other: float = 2.0", "other = 2.0"),
    "annotation that makes a field": ("plain = 5", "plain: int = 5"),
    "class variable that becomes a field": ("ClassVar[int]", "int"),
    "default of a field": ("other: float = 2.0", "other: float = 2.5"),
    "decorator": ("@dataclass\n", "@dataclass(frozen=True)\n"),
    "value of a string": ('"fast or slow"', '"slow or fast"'),
    "code of a fault": ('"truncated"', '"damaged"'),
    "code of a returned fault": ('"too-long"', '"long"'),
    "class of a fault": ('MediaFault("truncated"', 'OSError("truncated"'),
    "cause": (" from KeyError(", " from IndexError("),
    "value in a log": ('"so far %d", total', '"so far %d", x'),
    "level of a log": ("log.info", "log.error"),
    "category of a warning": ("DeprecationWarning)", "UserWarning)"),
    "message that assigns": ("{total} is too much", "{(total := 1)} is too much"),
    "place outside the package": ("from dataclasses import", "from pydantic.dataclasses import"),
    "imported name": ("import Clip", "import Scene as Clip"),
    "alias": ("check_size as check", "check_time as check"),
    "import that nothing uses": ("import logging\n", "import logging\nimport torch\n"),
    "import moved over a statement": (
        "import numpy as np\n",
        "",
        ("LIMIT: int = 3\n", "LIMIT: int = 3\nimport numpy as np\n"),
    ),
    "reference to a description": ("about: dict = ABOUT", "about: dict = None"),
    "description within a class": ("plain = 5", "ABOUT = 5"),
    "string that is no module": ('"mmx.media.source"', '"mmx/media/source"'),
}


def edited(edit: tuple[Any, ...]) -> str:
    old, new, *more = edit
    text = SOURCE
    for before, after in ((old, new), *more):
        assert before in text
        text = text.replace(before, after, 1)
    ast.parse(text)
    return text


@pytest.mark.parametrize("edit", NO_CHANGE.values(), ids=NO_CHANGE)
def test_what_does_not_count(edit: tuple[Any, ...]) -> None:
    assert text_digest(edited(edit)) == text_digest(SOURCE)


@pytest.mark.parametrize("edit", CHANGE.values(), ids=CHANGE)
def test_what_counts(edit: tuple[Any, ...]) -> None:
    assert text_digest(edited(edit)) != text_digest(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("raise typer.Exit('went wrong')", "raise typer.Exit('did not go well')"),
        ("raise wrapped(Fault('a', 'b c'))", "raise wrapped(Fault('a', 'd e'))"),
        ("raise E('a b' if x else y)", "raise E('c d' if x else y)"),
        ("raise E(name='a b')", "raise E(name='c d')"),
        ("e = _OddError('\\n'.join(x))", "e = _OddError(', '.join(y))"),
        ("self._log.warning(f'{x}')", "self._log.warning('x')"),
        ("print('a', file=sys.stderr)", "print('b', file=sys.stderr)"),
        ("if typing.TYPE_CHECKING:\n    a = 1\nelse:\n    b = 1", "b = 1"),
        ("def f(x):\n    'a'", "def f(x):\n    pass"),
        ("", "'''A docstring.'''"),
        ("try:\n    a()\nfinally:\n    b()", "try:\n    'c'\n    a()\nfinally:\n    b()\n    pass"),
    ],
)
def test_other_forms_of_what_does_not_count(old: str, new: str) -> None:
    assert text_digest(old) == text_digest(new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("raise E(x if y == 'a b' else z)", "raise E(x if y == 'c d' else z)"),
        ("raise E(x['a b'])", "raise E(x['c d'])"),
        ("raise E('Truncated')", "raise E('Damaged')"),
        ("log.info(run('a b'))", "log.info(run('c d'))"),
        ("math.log('a b')", "math.log('c d')"),
        ("table.error('a b')", "table.error('c d')"),
        ("print('a b', file=out)", "print('c d', file=out)"),
        ("isError('a b')", "isError('c d')"),
        ("x = 'a b'", "x = 'c d'"),
        ("x = f'a {b}'", "x = f'c {b}'"),
        ("if not TYPE_CHECKING:\n    a = 1", "if not TYPE_CHECKING:\n    a = 2"),
        ("for ABOUT in x:\n    y()", "for ABOUT in x:\n    z()"),
        ("ABOUT = x = 1", "ABOUT = x = 2"),
        ("def f():\n    ABOUT = 1", "def f():\n    ABOUT = 2"),
        ("match x:\n    case None: a()", "match x:\n    case False: a()"),
        ("x = 1", "x = True"),
        ("x = '1'", "x = b'1'"),
        ("x = ()", "x = []"),
        ("x = 0.0", "x = -0.0"),
        ("f(*x)", "f(x)"),
        ("x = f'{y!r}'", "x = f'{y!s}'"),
        ("async def f(): pass", "def f(): pass"),
        ("[x async for x in y]", "[x for x in y]"),
        ("a = x if y else z", "a = z if y else x"),
        ("import a\nx = 1", "import b as a\nx = 1"),
        ("from . import a", "from . import b"),
    ],
)
def test_other_forms_of_what_counts(old: str, new: str) -> None:
    assert text_digest(old) != text_digest(new)


def test_only_modules_of_the_named_package_may_move() -> None:
    old, new = "from film.a import x", "from film.b import x"
    assert text_digest(old, "film") == text_digest(new, "film")
    assert text_digest(old) != text_digest(new)


def test_a_file_has_the_digest_of_its_text(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text(SOURCE, encoding="utf-8")
    assert source_digest(tmp_path / "some.py") == text_digest(SOURCE)


def test_fields_without_content_are_not_written() -> None:
    class Call(ast.Call):
        """As a later version of Python might have it."""

        _fields = (*ast.Call._fields, "invented", "also_invented")

    [statement] = ast.parse("f(1, x=None)").body
    assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    call = statement.value
    later = Call(func=call.func, args=call.args, keywords=call.keywords)
    vars(later).update(invented=[], also_invented=None)
    assert dump(later) == dump(call)
    assert dump(call) == "Call(args=[1],func=Name(id='f'),keywords=[keyword(arg='x',value=None)])"


def test_text_that_is_not_ascii_is_the_same_under_all_versions() -> None:
    assert dump(ast.parse("'ä\\ud800\U0001fae8'")) == (
        r"Module(body=[Expr(value='\xe4\ud800\U0001fae8')])"
    )


KNOWN = "e35e331246dc3e9dab991df57d691d44f41b15437421671ded283b6b15073552"


def test_the_digest_is_the_same_under_every_version_of_python() -> None:
    assert text_digest(SOURCE) == KNOWN


class Tree:
    """A package `film` whose modules are written as a test needs them."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "film"

    def write(self, **modules: str) -> None:
        """Write modules by dotted name (`__` for a dot), with a package around each."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name, text in modules.items():
            path = self.folder.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            for parent in [path.parent, *path.parent.parents]:
                if parent == self.folder.parent:
                    break
                (parent / "__init__.py").touch()

    def digest(self, *modules: str) -> str:
        for name in [name for name in sys.modules if name.partition(".")[0] == "film"]:
            del sys.modules[name]
        read_code.cache_clear()
        module_files.cache_clear()
        invalidate_caches()
        return code_digest(modules or ["film"])


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Tree(tmp_path)


USER = "from film.{} import solve\nx = solve(1)\nMADE_BY = ('film.{}',)"
SOLVE = "def solve(x): return x + 1"
OTHER = "def solve(x): return x + 2"


def test_a_package_covers_all_its_modules_and_nothing_else(tree: Tree) -> None:
    tree.write(beside="a = 1", deep__inner="b = 1")
    before = tree.digest("film.deep")
    tree.write(beside="a = 2", deep__inner="b = 1")
    assert tree.digest("film.deep") == before
    tree.write(beside="a = 2", deep__inner="b = 2")
    assert tree.digest("film.deep") != before


def test_a_module_that_is_moved_and_renamed_is_no_change(tree: Tree) -> None:
    tree.write(user=USER.format("a", "a"), a=SOLVE)
    before = tree.digest()
    tree.write(use__users=USER.format("deep.maths.b", "deep.maths.b"), deep__maths__b=SOLVE)
    assert tree.digest() == before
    assert tree.digest("film.use", "film.deep", "film.deep.maths.b") == before


def test_relative_imports_move_as_well(tree: Tree) -> None:
    tree.write(user="from .a import solve", a=SOLVE)
    before = tree.digest()
    tree.write(deep__user="from ..b import solve", b=SOLVE)
    assert tree.digest() == before
    tree.write(deep__user="from .a import solve", deep__a=OTHER)
    assert tree.digest() != before


def test_the_same_name_from_another_module_is_a_change(tree: Tree) -> None:
    tree.write(user=USER.format("a", "a"), a=SOLVE, b=OTHER)
    before = tree.digest()
    tree.write(user=USER.format("b", "a"), a=SOLVE, b=OTHER)
    imported = tree.digest()
    tree.write(user=USER.format("a", "b"), a=SOLVE, b=OTHER)
    named = tree.digest()
    assert len({before, imported, named}) == 3


def test_the_content_of_an_imported_module_counts(tree: Tree) -> None:
    tree.write(user="from film import a as m\nm.solve(1)", a=SOLVE, b=OTHER)
    before = tree.digest()
    tree.write(user="import film.b as m\nm.solve(1)", a=SOLVE, b=OTHER)
    assert tree.digest() != before


def test_what_lies_outside_the_digested_modules_may_be_imported_from_anywhere(tree: Tree) -> None:
    tree.write(user="from film.a import Kind", a="Kind = int", b="Kind = int")
    before = tree.digest("film.user")
    tree.write(user="from film.b import Kind", a="Kind = int", b="Kind = int")
    assert tree.digest("film.user") == before


def test_a_string_that_only_looks_like_a_module_counts(tree: Tree) -> None:
    tree.write(user="NAME = 'film.lock'")
    before = tree.digest()
    tree.write(user="NAME = 'film.toml'")
    assert tree.digest() != before


def test_a_module_twice_or_without_code_counts_no_more(tree: Tree) -> None:
    tree.write(a=SOLVE)
    before = tree.digest()
    assert tree.digest("film", "film.a") == before
    tree.write(a=SOLVE, deep__nothing="'''Nothing yet.'''")
    assert tree.digest() == before
    tree.write(a=SOLVE, deep__nothing="x = 1")
    assert tree.digest() != before


def test_rewording_a_message_of_the_decoder_is_no_change() -> None:
    source = import_module("mmx.media.source").__file__
    assert source is not None
    text = Path(source).read_text(encoding="utf-8")
    for old, new in [
        ("no container that is accepted could be read", "nothing that is accepted was read"),
        ("the file has no video stream", "there are no moving pictures"),
    ]:
        assert old in text
        assert text_digest(text.replace(old, new)) == text_digest(text)
    checked = text.replace("    if found.st_size == 0:", "    if found.st_size < 9:")
    assert text_digest(checked) != text_digest(text)


def test_an_unknown_module_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        code_digest(["mmx.no_such_module"])

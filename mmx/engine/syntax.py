"""The syntax tree of a source text, without the parts that cannot affect what the code computes.

These parts of a file do not count, so that an edit of them changes no digest:

- comments, layout, docstrings and other strings that stand alone;
- annotations. In the body of a class it counts that a name is annotated, because that makes it a
  field, and so do ClassVar, InitVar and KW_ONLY; the type does not;
- texts of messages: in `raise`, in a call of a class whose name ends in Error, Exception, Fault or
  Warning, in `assert`, in a call of `warnings.warn`, of a logger, or of `print` to the terminal.
  An f-string is such a text, with the values in it, and so are a concatenation, a `%`, a `format`
  and a `join` of strings. In an exception a string without a space is a value, not a text: the
  code of a fault counts;
- imports for annotations, texts and `ABOUT` alone, and blocks under `if TYPE_CHECKING`; the order
  of neighbouring imports; where a module of the same package lies, but not which module it is;
- `ABOUT` and `__all__` of a module: what describes it without affecting what it computes.

All else counts: every value, name, operator, default and statement, and their order.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

BLOCKS = ("body", "orelse", "finalbody")
DESCRIPTIVE = {"ABOUT", "__all__"}
FIELD_FORMS = {"ClassVar", "InitVar", "KW_ONLY"}
OMITTED_FIELDS = {"ctx", "type_comment", "type_ignores"}
"""Fields of a syntax tree that follow from the rest or have no effect."""
EXCEPTION = re.compile(r"_*([A-Z]\w*)?(Error|Exception|Fault|Warning)")
LOGGERS = {"log", "logger", "logging"}
LEVELS = {"critical", "debug", "error", "exception", "info", "log", "warn", "warning"}
TERMINAL = {"sys.stderr", "sys.stdout"}
SIDE_EFFECTS = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
"""Expressions with an effect beside their value, also within a text."""


@dataclass(frozen=True)
class Link:
    """A mention of a module of the same package: in an import, or by its name in a string."""

    module: str
    """Dotted name, with leading dots where it is relative."""
    name: str
    """What is imported from it; empty for the module as a whole."""


@dataclass(frozen=True)
class Import:
    """One name that an import statement binds."""

    text: str
    """The statement as it counts: without the name of a module of the package."""
    bound: str
    """The name that the statement binds."""
    link: Link | None
    """None for what comes from outside the package."""


def essence(source: str, package: str) -> tuple[ast.AST, tuple[Link, ...]]:
    """Return what counts of a source text of `package`, and the modules of it that it uses.

    The links are in the order in which the text names the modules: strings first, then imports.
    """
    stripper = _Stripper(package)
    tree = stripper.visit(ast.parse(source))
    imports = list(_arrange_imports(stripper, package))
    return tree, (*stripper.links, *(each.link for each in imports if each.link))


def dump(node: object) -> str:
    """Return a syntax tree as ASCII text that is the same under every version of Python.

    Fields without content are left out: versions differ in which of them there are.
    """
    if isinstance(node, ast.Constant):
        return ascii(node.value)
    if isinstance(node, list):
        return f"[{','.join(map(dump, node))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    values = ((name, getattr(node, name, None)) for name in _written(node._fields))
    written = [f"{name}={dump(value)}" for name, value in values if value not in (None, [])]
    return f"{type(node).__name__}({','.join(written)})"


@cache
def _written(fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(fields) - OMITTED_FIELDS))


class Text(ast.expr):
    """Stands for the text of a message."""


class ModuleName(ast.expr):
    """Stands for a string that names a module of the package."""


class Field(ast.stmt):
    """Stands for a name with an annotation, but for the type."""

    _fields = ("forms", "target", "value")

    def __init__(self, forms: list[str], target: ast.expr, value: ast.expr | None) -> None:
        super().__init__()
        self.forms, self.target, self.value = forms, target, value


class Imports(ast.stmt):
    """Stands for neighbouring import statements, sorted."""

    _fields = ("texts",)

    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self.texts = texts


class _Stripper(ast.NodeTransformer):
    """Removes all that does not count, except in imports."""

    def __init__(self, package: str) -> None:
        self.used: Counter[str] = Counter()
        """How often each name stands in what is left."""
        self.removed: set[str] = set()
        """Names in what was removed."""
        self.links: list[Link] = []
        """Modules named in strings."""
        self.blocks: list[tuple[ast.AST, str]] = []
        """(node, field) of every block of statements that is left."""
        self._own = re.compile(rf"{re.escape(package)}(\.\w+)+")

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Remove statements without effect before visiting what is in them."""
        for name in BLOCKS if "body" in node._fields else ():
            if isinstance(block := getattr(node, name, None), list):
                setattr(node, name, list(_effective(block)))
                self.blocks.append((node, name))
        return super().generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Count a name."""
        self.used[node.id] += 1
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Visit what it is an attribute of."""
        node.value = self.visit(node.value)
        return node

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """Remove what describes the module."""
        described = [each for each in node.body if _describes(each)]
        self.removed.update(name for each in described for name in _names(each))
        node.body = [each for each in node.body if each not in described]
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Remove the annotation of the result."""
        self._note(node.returns)
        node.returns = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Remove the annotation of an argument."""
        self._note(node.annotation)
        node.annotation = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Turn annotated names into fields."""
        node.body = [self._field(s) if isinstance(s, ast.AnnAssign) else s for s in node.body]
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Remove the annotation of a variable."""
        if node.value is None:
            return self.generic_visit(self._field(node))
        self._note(node.annotation)
        return self.generic_visit(ast.Assign(targets=[node.target], value=node.value))

    def _field(self, node: ast.AnnAssign) -> Field:
        forms = sorted(self._note(node.annotation) & FIELD_FORMS)
        return Field(forms, node.target, node.value)

    def _note(self, annotation: ast.expr | None) -> set[str]:
        """Note and return the names in an annotation, also those within strings."""
        found: set[str] = set()
        for node in ast.walk(annotation) if annotation else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(re.findall(r"[^\W\d]\w*", node.value))
            else:
                found.add(_last_name(node))
        self.removed |= found
        return found

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Replace a string that names a module of the package."""
        if not (isinstance(node.value, str) and self._own.fullmatch(node.value)):
            return node
        self.links.append(Link(node.value, ""))
        return ModuleName()

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Remove the texts of an exception, however it is made."""
        self.generic_visit(node)
        return self._texts(exception=True).generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """Remove the text of an assertion."""
        self.generic_visit(node)
        node.msg = node.msg and self._texts(exception=False).visit(node.msg)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Remove the texts in an exception that is made, or in a message that is shown."""
        self.generic_visit(node)
        exception = EXCEPTION.fullmatch(_last_name(node.func)) is not None
        if exception or _is_message(node):
            texts = self._texts(exception)
            node.args = [texts.visit(each) for each in node.args]
            for keyword in node.keywords:
                texts.generic_visit(keyword)
        return node

    def _texts(self, exception: bool) -> "_Texts":
        return _Texts(exception, self._forget)

    def _forget(self, node: ast.AST) -> None:
        """Note that a visited expression is removed."""
        names = _names(node)
        self.used.subtract(names)
        self.removed.update(names)


class _Texts(ast.NodeTransformer):
    """Replaces texts by `Text`, except where they are compared or used as a key."""

    def __init__(self, exception: bool, forget: Callable[[ast.AST], None]) -> None:
        self.exception = exception
        """Whether a string without a space is a value, and a call may hold texts."""
        self.forget = forget
        """Called with each expression that is removed."""

    def visit(self, node: ast.AST) -> Any:
        """Return `Text` for a text, else the node with the texts in it replaced."""
        if _is_text(node, words=not self.exception) and not _has_effect(node):
            self.forget(node)
            return Text()
        whole = isinstance(node, ast.Compare | ast.Subscript | ast.Lambda)
        if whole or (isinstance(node, ast.Call) and not self.exception):
            return node
        return self.generic_visit(node)


def _is_text(node: ast.AST, *, words: bool) -> bool:
    """Say whether an expression is a text for a person; `words`: a single word may be one."""
    match node:
        case Text() | ast.JoinedStr():
            return True
        case ast.Constant(value=str(value)):
            return words or len(value.split(maxsplit=1)) > 1
        case ast.BinOp(op=ast.Add()):
            return _is_text(node.left, words=words) or _is_text(node.right, words=words)
        case ast.BinOp(left=pattern, op=ast.Mod()):
            return _is_text(pattern, words=True)
        case ast.Call(func=ast.Attribute(value=pattern, attr="format" | "join")):
            return _is_text(pattern, words=True)
    return False


def _has_effect(node: ast.AST) -> bool:
    return any(isinstance(part, SIDE_EFFECTS) for part in ast.walk(node))


def _is_message(call: ast.Call) -> bool:
    """Say whether a call shows a message: a warning, a line of a log or of the terminal."""
    match call.func:
        case ast.Name(id="print"):
            files = (each.value for each in call.keywords if each.arg == "file")
            return all(ast.unparse(file) in TERMINAL for file in files)
        case ast.Attribute(value=ast.Name(id="warnings"), attr="warn"):
            return True
        case ast.Attribute(value=logger, attr=level):
            return level in LEVELS and _last_name(logger).strip("_").lower() in LOGGERS
    return False


def _last_name(node: ast.AST) -> str:
    """Return the name, or the last part of a dotted one; empty for any other expression."""
    return getattr(node, "id", "") or getattr(node, "attr", "")


def _effective(block: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that do something, without what only a type checker reads."""
    for node in block:
        if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING":
            yield from _effective(node.orelse)
        elif not _does_nothing(node):
            yield node


def _does_nothing(node: ast.AST) -> bool:
    """Say whether a statement does nothing: `pass`, or a string that stands alone."""
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _describes(node: ast.AST) -> bool:
    """Say whether a statement gives a value to a name of `DESCRIPTIVE`."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in DESCRIPTIVE
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.AugAssign(target=ast.Name(id=name)):
            return name in DESCRIPTIVE
    return False


def _names(tree: ast.AST) -> list[str]:
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]


def _arrange_imports(stripper: _Stripper, package: str) -> Iterator[Import]:
    """Put `Imports` in the place of neighbouring imports in all blocks; yield what they hold.

    What only serves parts that were removed is left out, and an empty body gets its `pass`.
    """
    unused = {name for name in stripper.removed if stripper.used[name] == 0}
    for node, name in stripper.blocks:
        arranged: list[ast.stmt] = []
        for is_import, run in groupby(getattr(node, name), _is_import):
            if not is_import:
                arranged.extend(run)
            elif imports := _sorted_imports(run, package, unused):
                arranged.append(Imports([each.text for each in imports]))
                yield from imports
        idle: list[ast.stmt] = [ast.Pass()] if name == "body" else []
        setattr(node, name, arranged or idle)


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _sorted_imports(run: Iterable[ast.stmt], package: str, unused: set[str]) -> list[Import]:
    found = {each for node in run for each in _imported(node, package) if each.bound not in unused}
    return sorted(found, key=lambda each: (each.text, str(each.link)))


def _imported(node: ast.stmt, package: str) -> Iterator[Import]:
    """Yield what one statement imports; `from __future__` has no effect on what is computed."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            bound, own = alias.asname or top, top == package
            text = f"import {'' if own else alias.name} as {bound}"
            yield Import(text, bound, Link(alias.name, "") if own else None)
    elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
        module = "." * node.level + (node.module or "")
        own = module.partition(".")[0] in ("", package)
        for alias in node.names:
            bound = alias.asname or alias.name
            text = f"from {'' if own else module} import {alias.name} as {bound}"
            yield Import(text, bound, Link(module, alias.name) if own else None)

"""YAML files that people write: UTF-8, no duplicate keys, errors with their line."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mmx.engine.files import FileRefusedError, read_regular
from mmx.errors import UserError

LARGEST, DEEPEST, MOST_NODES = 1 << 20, 50, 100_000
"""Bounds of a file: its bytes, how deeply it nests, and its keys and values, aliases expanded."""
LONGEST = 80
"""Characters of a key that a message quotes."""
_UNREADABLE = (ValueError, OverflowError, KeyError, AttributeError, IndexError, TypeError)
"""What PyYAML raises for a date, a number or a tagged value that Python cannot hold."""


_TAB = (
    "found character '\\t' that cannot start any token",
    "a tab, where only spaces may indent",
)
"""What PyYAML says of a tab, and what is said instead."""


class YamlError(UserError):
    """A file cannot be read as YAML; the message names file and line."""


class _Loader(yaml.SafeLoader):
    """Refuses duplicate keys, of which PyYAML would take the last, and files made to be endless."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = self.count = 0
        self.sizes: dict[int, int] = {}
        """Number of nodes that a finished node is made of, by its identity."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next node; raise ComposerError where there are too many."""
        mark = self.peek_event().start_mark
        is_alias = self.check_event(yaml.AliasEvent)
        before, self.depth, self.count = self.count, self.depth + 1, self.count + 1
        if self.depth > DEEPEST:
            raise _composer_error(f"it is nested more than {DEEPEST} deep", mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        if is_alias and id(node) not in self.sizes:
            raise _composer_error("an alias contains itself", mark)
        self.count += self.sizes[id(node)] if is_alias else 0
        if self.count > MOST_NODES:
            raise _composer_error(f"it has more than {MOST_NODES} keys and values", mark)
        self.depth -= 1
        self.sizes.setdefault(id(node), self.count - before)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of a node."""
        try:
            return super().construct_object(node, deep)
        except _UNREADABLE as error:
            reason = _unreadable(error)
            raise yaml.constructor.ConstructorError(None, None, reason, node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of a node."""
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        keys = [key for key, _ in pairs if isinstance(key, yaml.ScalarNode)]
        seen: set[str] = set()
        for key in keys:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value[:LONGEST]!r} appears twice", key.start_mark
                )
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _unreadable(error: Exception) -> str:
    """Return in words why a value cannot be read."""
    if "digits" in str(error):
        return "a number has too many digits"
    if isinstance(error, ValueError | OverflowError):
        return str(error)[:LONGEST]
    return "the value is not what its tag says"


def _composer_error(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.composer.ComposerError(None, None, problem, mark)


@dataclass(frozen=True)
class Document:
    """What a file holds, and in which line."""

    data: Any
    """Python data; None where the file is empty."""
    _root: yaml.Node | None

    def find(self, keys: Iterable[int | str]) -> tuple[str, int]:
        """Return the dotted key and the line of the deepest of nested `keys` that are there.

        Keys that are not there are passed over.
        """
        found, line, node = [], 1, self._root
        for key in keys:
            entry = _entry(node, key)
            if entry is not None:
                found.append(str(key)[:LONGEST])
                line, node = entry[0].start_mark.line + 1, entry[1]
        return ".".join(found), line


def _entry(node: yaml.Node | None, key: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the nodes of a key and of its value in a mapping, or an entry of a list twice."""
    if isinstance(node, yaml.MappingNode):
        named = (pair for pair in node.value if getattr(pair[0], "value", None) == str(key))
        return next(named, None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key]
    return None


def read_yaml(path: Path) -> Any:
    """Return what a file holds, as Python data; None where it is empty.

    Raise YamlError for a file that cannot be read, FileNotFoundError where there is none.
    """
    return read_document(path).data


def read_document(path: Path) -> Document:
    """Return what a file holds, with its lines; raise as `read_yaml` does."""
    text = _text(path)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        return Document(None if root is None else loader.construct_document(root), root)
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        problem = (error.problem or "").replace(*_TAB)
        raise YamlError(f"{path} is not YAML: {place}{problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        reason = f"the character {chr(error.character)!r} is not allowed"
        raise YamlError(f"{path} is not YAML: line {line}: {reason}") from None


def _text(path: Path) -> str:
    try:
        content = read_regular(path, LARGEST)
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise YamlError(f"{path} cannot be read: {error.strerror}") from None
    except FileRefusedError as error:
        raise YamlError(f"{path} cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlError(f"{path} is not UTF-8: line {line}: byte {error.start}") from None

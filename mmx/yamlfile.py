"""YAML that people write: UTF-8, no key twice, and what is wrong with a file in one sentence."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from mmx.errors import UserError


class YamlError(UserError):
    """A file cannot be read as YAML; the message names file and line."""


class _Loader(yaml.SafeLoader):
    """Refuses a mapping in which a key is there twice: YAML itself would take the last silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of a node."""
        counts = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, _ in node.value:
            if counts.get(key.value, 0) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is there twice", key.start_mark
                )
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def read_yaml(path: Path) -> Any:
    """Return what a file holds, as plain data; None where it is empty.

    Raise YamlError for a file that cannot be read, FileNotFoundError where there is none.
    """
    try:
        return yaml.load(path.read_bytes().decode("utf-8-sig"), _Loader)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise YamlError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise YamlError(f"{path} is not UTF-8: byte {error.start}") from None
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise YamlError(f"{path} is not YAML: {place}{error.problem}") from None
    # A character that YAML forbids, or a date or number that Python cannot hold.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlError(f"{path} is not YAML: {str(error).splitlines()[0]}") from None

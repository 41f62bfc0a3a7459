"""Every registered expert: what it declares against what it builds."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from mmx.engine.code import text_digest
from mmx.engine.imports import imported_modules
from mmx.experts import registry
from mmx.experts.base import Checkpoint, Expert, ExpertError
from mmx.experts.checkpoints import Format
from mmx.experts.preprocess import LogMel
from mmx.experts.registry import expert_names, get_expert
from mmx.experts.sampling import Patches, Stacks
from mmx.pipeline.ingredients import NEUTRAL

ARTEFACTS = {"appearance": {"clips"}, "scene": {"clips"}, "audio": {"audio"}}
CHANNELS = {"flow": 2, "clips": 3}


@pytest.fixture(params=expert_names())
def expert(request: pytest.FixtureRequest) -> Expert:
    return get_expert(request.param)


def batch_of_two(expert: Expert) -> torch.Tensor:
    """An empty batch of the declared shape."""
    if isinstance(expert.preprocess, LogMel):
        return torch.empty(2, 1, expert.preprocess.frames, expert.preprocess.bands)
    depth = (expert.sampling.length,) if isinstance(expert.sampling, Stacks) else ()
    return torch.empty(2, CHANNELS[expert.reads], *depth, *expert.preprocess.size)


def test_it_ends_in_the_declared_width(expert: Expert) -> None:
    with torch.device("meta"):
        vectors = expert.build()(batch_of_two(expert))
    assert vectors.shape == (2, expert.width)


def test_its_declaration_agrees_with_itself(expert: Expert) -> None:
    assert expert.reads in ARTEFACTS.get(expert.modality, {"flow", "clips"})
    assert expert.sequence == (expert.modality == "audio")
    assert isinstance(expert.sampling, Patches) == (expert.reads == "audio")
    assert expert.summary.endswith(".")
    assert json.dumps(expert.describe())


def test_its_weights_say_where_they_come_from(expert: Expert) -> None:
    for weights in expert.weights:
        assert weights.licence
        assert weights.trained_on
        if not isinstance(weights, Checkpoint):
            assert len(weights.sha256) == 64
            continue
        assert weights.sources
        assert weights.format in get_args(Format)
        for source in weights.sources:
            assert source.url.startswith(("http://", "https://"))
            assert source.digest is None or set(source.digest.value) <= set("0123456789abcdef")


def test_its_file_names_are_its_own() -> None:
    files: dict[str, object] = {}
    for expert in map(get_expert, expert_names()):
        for weights in expert.weights:
            assert files.setdefault(weights.file, weights) == weights


def test_its_tools_cover_every_package_that_its_own_code_imports(expert: Expert) -> None:
    names = {"PIL": "pillow"}
    shared = set(imported_modules(["mmx.experts.item"], NEUTRAL))
    own = set(imported_modules([registry.MODULES[expert.name]], NEUTRAL)) - shared
    found = {top for module in own for top in packages(module)}
    third = (
        {names.get(top, top) for top in found} - sys.stdlib_module_names - {"mmx", "safetensors"}
    )
    assert third <= set(expert.tools)


@pytest.mark.parametrize("module", dict.fromkeys(registry.MODULES.values()))
def test_nothing_that_describes_it_is_in_the_digest_of_its_code(module: str) -> None:
    before = text_digest(ast.unparse(tree(module)))
    described = list(digests_of_edits(module, {"ABOUT"}))
    assert len(described) >= 2
    assert set(described) == {before}
    computing = list(digests_of_edits(module, {"EXPERT", "FILE", "FORMAT", "PCA_FILE"}))
    assert len(computing) >= 4
    assert before not in computing


def test_the_width_of_experts_that_share_a_declaration_is_in_the_digest() -> None:
    text = ast.unparse(tree("mmx.experts.vggish"))
    assert text.count("paper_width=128") == text.count(" width=128") == 1
    assert text_digest(text.replace("paper_width=128", "paper_width=64")) == text_digest(text)
    assert text_digest(text.replace(" width=128", " width=64")) != text_digest(text)


def test_what_describes_it_has_no_part_in_what_it_computes(expert: Expert) -> None:
    module = registry.MODULES[expert.name]
    uses = [
        ast.unparse(parent)
        for parent in ast.walk(tree(module))
        for node in ast.iter_child_nodes(parent)
        if isinstance(node, ast.Name) and node.id == "ABOUT" and isinstance(node.ctx, ast.Load)
    ]
    assert set(uses) <= {"about=ABOUT", "ABOUT.weights"}
    assert expert.about is import_module(module).ABOUT


def digests_of_edits(module: str, names: set[str]) -> Iterator[str]:
    """Yield the digest of a module with one value of a declaration changed, for each in turn.

    Strings that name modules are left as they are: a module may move.
    """
    whole = tree(module)
    for statement in whole.body:
        if not names & {ast.unparse(each) for each in assigned(statement)}:
            continue
        assert isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None
        for node in ast.walk(statement.value):
            if isinstance(node, ast.Constant) and not str(node.value).startswith("mmx."):
                old, node.value = node.value, another(node.value)
                yield text_digest(ast.unparse(whole))
                node.value = old


def assigned(statement: ast.stmt) -> list[ast.expr]:
    return getattr(statement, "targets", None) or [getattr(statement, "target", ast.Tuple([]))]


def another(value: Any) -> Any:
    """A value of the same kind; another kind for None."""
    if isinstance(value, str):
        return value + "x"
    return not value if isinstance(value, bool) else (value or 0) + 1


def tree(module: str) -> ast.Module:
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def imported(module: str) -> set[str]:
    """Modules of mmx.experts that `module` imports at run time, inside functions too."""
    found = set()
    for node in ast.walk(tree(module)):
        module_of = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        if module_of.startswith("mmx.experts"):
            found.add(module_of)
    return found


def packages(module: str) -> set[str]:
    """Top-level packages that `module` imports."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module != "__future__":
            found.add(node.module.split(".")[0])
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
    return found


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(ExpertError, match="registered twice: a"):
        registry.index((("a", "x"), ("b", "y"), ("a", "z")))


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ExpertError, match="no expert 'other'; there are lite_appearance,"):
        get_expert("other")
    with pytest.raises(ExpertError, match="no expert 'senet155', did you mean 'senet154'"):
        get_expert("senet155")


def test_a_module_that_declares_another_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODULES, "other", "mmx.experts.lite_scene")
    with pytest.raises(ExpertError, match="declares 'lite_scene', not 'other'"):
        get_expert("other")


def test_every_file_that_declares_an_expert_is_registered() -> None:
    folder = Path(registry.__file__).parent
    declaring = {
        f"mmx.experts.{path.stem}"
        for path in folder.glob("*.py")
        if "\nEXPERT = " in path.read_text(encoding="utf-8")
    }
    assert declaring == set(registry.MODULES.values())


def test_listing_and_declaring_import_no_torch() -> None:
    program = (
        "import sys; from mmx.experts.registry import expert_names, get_expert;"
        "assert not [m for m in sys.modules if m.startswith('mmx.experts.lite')];"
        "[get_expert(name).describe() for name in expert_names()];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

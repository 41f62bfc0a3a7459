"""The registered experts: one line each. Listing them imports none of them."""

from collections.abc import Mapping
from importlib import import_module

from mmx.errors import did_you_mean
from mmx.experts.base import Expert, ExpertError
from mmx.params import ExpertEntry, ParamsError

REGISTERED: tuple[tuple[str, str], ...] = (
    # the lite profile
    ("lite_appearance", "mmx.experts.lite_appearance"),
    ("lite_scene", "mmx.experts.lite_scene"),
    ("lite_motion", "mmx.experts.lite_motion"),
    ("lite_audio", "mmx.experts.lite_audio"),
    # the paper profile
    ("senet154", "mmx.experts.senet154"),
    ("resnet18_places365", "mmx.experts.resnet18_places365"),
    ("densenet161_places365", "mmx.experts.densenet161_places365"),
    ("i3d_flow", "mmx.experts.i3d_flow"),
    ("i3d_rgb", "mmx.experts.i3d_rgb"),
    ("r2plus1d_34", "mmx.experts.r2plus1d_34"),
    ("vggish", "mmx.experts.vggish"),
    # off by default
    ("yamnet", "mmx.experts.yamnet"),
    ("vggish_youtube8m", "mmx.experts.vggish_youtube8m"),
    ("vggish_linear", "mmx.experts.vggish_linear"),
    ("clip_vit_b32", "mmx.experts.clip_vit_b32"),
    ("s3d", "mmx.experts.s3d"),
)
"""(name, module whose EXPERT it is)."""


def index(registered: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return name -> module; raise ExpertError for a name that is there twice."""
    modules = dict(registered)
    if len(modules) != len(registered):
        twice = sorted(
            {name for name, _ in registered if [*map(_name, registered)].count(name) > 1}
        )
        raise ExpertError(f"registered twice: {', '.join(twice)}")
    return modules


def _name(entry: tuple[str, str]) -> str:
    return entry[0]


MODULES = index(REGISTERED)


def expert_names() -> tuple[str, ...]:
    """Names of all experts, in the order of registration."""
    return tuple(MODULES)


def get_expert(name: str) -> Expert:
    """Return a registered expert; raise ExpertError for an unknown name."""
    if name not in MODULES:
        near = did_you_mean(name, MODULES) or f"; there are {', '.join(MODULES)}"
        raise ExpertError(f"there is no expert {name!r}{near}")
    expert: Expert = import_module(MODULES[name]).EXPERT
    if expert.name != name:
        raise ExpertError(f"{MODULES[name]} declares {expert.name!r}, not {name!r}")
    return expert


def check_entries(entries: Mapping[str, ExpertEntry]) -> None:
    """Raise ParamsError where `embed.experts` contradicts the declarations."""
    for name, entry in entries.items():
        key = f"params.yaml: embed.experts.{name}"
        if name not in MODULES:
            near = did_you_mean(name, MODULES) or f"; there are {', '.join(MODULES)}"
            raise ParamsError(f"{key}: there is no such expert{near}")
        expert = get_expert(name)
        if entry.reads != expert.reads:
            raise ParamsError(f"{key}.reads: it reads {expert.reads}, not {entry.reads}")
        if entry.modality not in (None, expert.modality):
            raise ParamsError(f"{key}.modality: it is {expert.modality}, not {entry.modality}")

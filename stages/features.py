"""features: the Parquet feature store, its card and its provenance -> data/features/."""

import shutil

from mmx.errors import report_errors
from mmx.experts.registry import get_expert
from mmx.features import ExpertSource, build_store
from mmx.features.describe import known_shards
from mmx.pipeline import check_stage_tools
from mmx.project import Project, open_project


def build_features(project: Project) -> None:
    """Build the store beside its place, then put it there."""
    check_stage_tools("features", project)
    layout = project.layout
    experts = [
        ExpertSource(name, entry.modality, layout.embeddings(name), get_expert(name).paper_width)
        for name, entry in sorted(project.params.embed.experts.items())
    ]
    with project.store.locked("features"), project.store.workspace() as folder:
        built = folder / "features"
        built.mkdir()
        digest = build_store(
            built,
            sources=layout.sources,
            clips=layout.clips,
            experts=experts,
            upstream=(layout.audio, layout.flow),
            known=known_shards(layout.root, layout.features.relative_to(layout.root).as_posix()),
        )
        shutil.rmtree(layout.features, ignore_errors=True)
        shutil.move(built, layout.features)
    print(f"features: root digest {digest}")


if __name__ == "__main__":
    with report_errors():
        build_features(open_project())

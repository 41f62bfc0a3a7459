"""features: the Parquet feature store, its card and its provenance -> data/features/."""

import shutil

from mmx.engine.files import unmodified
from mmx.engine.parquet import read_parquet
from mmx.experts.registry import get_expert
from mmx.features.schema import RECEIPTS_FILE
from mmx.pipeline.step import CORE_TOOLS, PlainStep
from mmx.pipeline.upstream import Upstream
from mmx.project import Project


def run(project: Project) -> None:
    """Build the store in a temporary folder, then move it into place."""
    from mmx.features import ExpertSource, build_store
    from mmx.features.describe import known_shards

    layout = project.layout
    experts = [
        ExpertSource(
            name,
            get_expert(name).modality,
            layout.embeddings(name),
            get_expert(name).paper_width,
        )
        for name in sorted(project.params.embed.experts)
    ]
    read = [layout.sources, layout.clips, *(expert.directory for expert in experts)]
    with unmodified(read), project.store.workspace() as folder:
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


def is_current(upstream: Upstream) -> bool:
    """Say whether the store has exactly the present items of the steps that it is made of."""
    from mmx.pipeline.registry import trailer_steps

    layout, params = upstream.project.layout, upstream.project.params
    read = {layout.clips, layout.audio, layout.flow, *map(layout.embeddings, params.embed.experts)}
    made = {
        receipt.fingerprint
        for step in trailer_steps(params)
        if step.output.path(layout.root) in read
        for receipt in upstream.receipts(step.name).values()
    }
    store = layout.features / RECEIPTS_FILE
    if not made:
        raise FileNotFoundError(store)
    if not store.exists():
        return False
    return set(read_parquet(store, ["fingerprint"])["fingerprint"].to_pylist()) == made


STEP = PlainStep(
    name="features", tools=(*CORE_TOOLS, "mlcroissant"), function=run, current=is_current
)

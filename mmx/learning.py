"""Run the steps that see all trailers at once: train, finetune, evaluate, ablate.

Each is one item, `all`. Its inputs are digests of what it reads and nothing more: embeddings of the
experts that the model uses, genres, the split. So a title, or an expert that is stored but not
used, trains nothing again.
"""

import shutil
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq

from mmx.engine.atomic import write_atomic
from mmx.engine.canonical import data_digest
from mmx.engine.parquet import write_parquet
from mmx.engine.receipt import Receipt
from mmx.engine.run import Outcome, Spread, Task, check, complete
from mmx.outputs import ALL, read_receipts
from mmx.pipeline import cached_output, ingredients_of, lay_out
from mmx.project import Project
from mmx.steps import EVALUATE, FINETUNE, SCENES, TRAIN, Step, ablate_step
from mmx.tools import check_tools
from mmx.training.faults import CollectionError


def run_learning(step: Step, project: Project, arguments: dict[str, Any]) -> Outcome:
    """Make the one item of `step` and lay out its files.

    Raise CollectionError for a collection that cannot be learnt from, StepFailedError otherwise.
    """
    check_tools(project.layout.tools, step.tools)
    recipe = replace(step.recipe, faults=())
    with project.store.locked(step.name):
        task = Task(ALL, ingredients_of(step, project)(learning_inputs(step, project)), arguments)
        cached = cached_output(step, project)
        outcome = complete(
            recipe,
            [task],
            project.store,
            cached=cached,
            spread=Spread(here=True),
            unit="run",
        )
        check(outcome, step.name, 0.0)
        lay_out(step, project, outcome, cached)
    return outcome


def learning_inputs(step: Step, project: Project) -> dict[str, str]:
    """Return the digest of each input of a step that sees all trailers."""
    made = {before.name: before for before in (TRAIN, FINETUNE)}
    inputs = {}
    for need in step.needs:
        if need in made:
            out = made[need].output.path(project.layout.root)
            inputs[need] = read_receipts(out)[ALL].output_digest
        else:
            inputs |= COLLECTION_DIGESTS[need](project)
    return inputs


def feature_digests(project: Project) -> dict[str, str]:
    """Return a digest of the clips and of each expert that the model uses, over all trailers."""
    used = {name for members in project.params.model.modalities.values() for name in members}
    steps = [SCENES.name, *(f"embed@{name}" for name in sorted(used))]
    columns = ["step", "trailers", "output_digest"]
    rows = pq.read_table(project.layout.features / "receipts.parquet", columns=columns).to_pylist()
    made: dict[str, dict[str, str]] = {step: {} for step in steps}
    for row in rows:
        if row["step"] in made:
            made[row["step"]] |= dict.fromkeys(row["trailers"], row["output_digest"])
    missing = [step for step in steps if not made[step]]
    if missing:
        raise CollectionError(
            f"the feature store has no {', '.join(missing)}: model.modalities names experts that "
            "embed.experts does not"
        )
    return {step: data_digest(made[step]) for step in steps}


def label_digest(project: Project) -> dict[str, str]:
    """Return a digest of the genres of every trailer that has a split."""
    split = set(pq.read_table(project.layout.splits)["trailer_id"].to_pylist())
    table = pq.read_table(project.layout.trailers, columns=["trailer_id", "genres"])
    labels = {row["trailer_id"]: row["genres"] for row in table.to_pylist()}
    return {"labels": data_digest({name: labels.get(name) for name in sorted(split)})}


def split_digest(project: Project) -> dict[str, str]:
    """Return a digest of who is in which split."""
    table = pq.read_table(project.layout.splits, columns=["trailer_id", "split"])
    return {"splits": data_digest(sorted(map(list, zip(*table.to_pydict().values(), strict=True))))}


COLLECTION_DIGESTS = {
    "features": feature_digests,
    "labels": label_digest,
    "splits": split_digest,
}


def collection_arguments(project: Project) -> dict[str, Any]:
    """Return where the collection lies."""
    layout = project.layout
    return {"features": layout.features, "trailers": layout.trailers, "splits": layout.splits}


def train(project: Project) -> Outcome:
    """Train the coarse genre model (section 3.2)."""
    params = project.params
    arguments = {
        **collection_arguments(project),
        "genres": params.collection.genres,
        "model": params.model,
        "train_params": params.train,
        "device": params.run.device,
    }
    return run_training(TRAIN, project, arguments)


def finetune(project: Project) -> Outcome:
    """Fine-tune the coarse model contrastively (section 3.3)."""
    params = project.params
    arguments = {
        **collection_arguments(project),
        "coarse": project.layout.coarse,
        "params": params.finetune,
        "device": params.run.device,
    }
    return run_training(FINETUNE, project, arguments)


def run_training(step: Step, project: Project, arguments: dict[str, Any]) -> Outcome:
    """Run a training; its curves can be watched as it goes, and are versioned with the model."""
    curves = project.layout.curves(step.name)
    shutil.rmtree(curves, ignore_errors=True)
    return run_learning(step, project, {**arguments, "live": curves})


def evaluate(project: Project) -> Outcome:
    """Evaluate both models, and put embeddings and metrics where DVC and people look for them."""
    layout = project.layout
    arguments = {
        **collection_arguments(project),
        "coarse": layout.coarse,
        "fine": layout.fine,
        "params": project.params.evaluate,
    }
    outcome = run_learning(EVALUATE, project, arguments)
    write_atomic(layout.metrics, (layout.evaluation / "metrics.json").read_bytes())
    write_embeddings(outcome.receipts[ALL], project)
    return outcome


def write_embeddings(receipt: Receipt, project: Project) -> None:
    """Write data/trailer_embeddings.parquet: the evaluated table with its fingerprint."""
    table = pq.read_table(project.layout.evaluation / "trailer_embeddings.parquet")
    fingerprints = [[receipt.fingerprint] * len(table)]
    write_parquet(
        table.append_column("fingerprint", fingerprints), project.layout.trailer_embeddings
    )


def ablate(variant: str, project: Project) -> Outcome:
    """Train and evaluate one row of tables 2 and 5, with several seeds."""
    params = project.params
    arguments = {
        **collection_arguments(project),
        "variant": variant,
        "params": params,
    }
    return run_learning(ablate_step(variant), project, arguments)

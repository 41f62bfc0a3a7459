"""Print a trace: as a tree for people, as PROV-JSON (W3C) for programs."""

from typing import Any

from rich.text import Text
from rich.tree import Tree

from mmx.audit.trace import Trace, TracedItem, UnknownInput, Video, all_items
from mmx.engine.receipt import Adoption, Weight, adoption_data

DIGITS = 12
"""Digits of a digest to show; enough for `mmx trace --fingerprint`."""


def trace_tree(trace: Trace) -> Tree:
    """Return the trace as a tree: the row at the root, the video at the leaves."""
    title = trace.trailer if trace.clip is None else f"{trace.trailer}, clip {trace.clip}"
    tree = Tree(Text(title, "bold"))
    clip = trace.rows.get("clips")
    if clip:
        tree.add(_clip_text(clip))
    seen: set[str] = set()
    for made in trace.chains:
        branch = _item_branch(made, seen)
        row = trace.rows.get(made.table)
        if row and "samples" in row:
            text = f"made of {row['samples']} samples, {row['padded']} padded"
            branch.children.insert(0, Tree(text))
        tree.children.append(branch)
    return tree


def _clip_text(row: dict[str, Any]) -> str:
    """The frames of the clip."""
    cut = (
        "the start of the video" if row["cut_score"] is None else f"a cut of {row['cut_score']:.2f}"
    )
    times = f"{row['start_s']:.3f} to {row['stop_s']:.3f} s"
    return f"frames {row['start']} to {row['stop'] - 1} ({times}), starts at {cut}"


def _item_branch(made: TracedItem, seen: set[str]) -> Tree:
    """An item with its inputs as branches; an item that was shown above is only named."""
    receipt = made.receipt
    tree = Tree(Text.assemble((made.step, "bold cyan"), " ", receipt.fingerprint[:DIGITS]))
    if receipt.fingerprint in seen:
        tree.add(Text("as above", "dim"))
        return tree
    seen.add(receipt.fingerprint)
    for label, value in _item_facts(made):
        tree.add(Text.assemble((f"{label} ", "dim"), value))
    for role, origin in made.inputs.items():
        tree.children.append(_input_branch(role, origin, seen))
    return tree


def _input_branch(role: str, origin: TracedItem | Video | UnknownInput, seen: set[str]) -> Tree:
    """One input."""
    if isinstance(origin, TracedItem):
        return _item_branch(origin, seen)
    if isinstance(origin, Video):
        name = origin.path or "a file that is elsewhere or missing"
        file = f"sha256 {origin.sha256}" if origin.sha256 else f"streams {origin.digest}"
        leaf = Tree(Text.assemble((role, "bold green"), f" of {name} ", (file, "dim")))
        if origin.url:
            leaf.add(Text.assemble(("from ", "dim"), origin.url, _day_text(origin)))
        return leaf
    return Tree(Text(f"{role} {origin.digest[:DIGITS]}: no receipt of it was found", "red"))


def _day_text(video: Video) -> str:
    """The day on which `mmx fetch` brought a video."""
    return f" on {video.fetched[:10]}" if video.fetched else ""


def _item_facts(made: TracedItem) -> list[tuple[str, str]]:
    """The lines about an item: label and text."""
    receipt = made.receipt
    ingredients = receipt.ingredients
    stage = f"{made.step.partition('@')[0]}."
    parameters = {key.removeprefix(stage): value for key, value in ingredients.parameters.items()}
    facts = [("parameters", _values_text(parameters)), ("code", ingredients.code[:DIGITS])]
    facts += [("weights", _weight_text(weight)) for weight in ingredients.weights]
    facts.append(("tools", _values_text(ingredients.tools)))
    if receipt.fault:
        facts.append(("fault", receipt.fault.reason))
    if receipt.facts:
        facts.append(("found", _values_text(receipt.facts)))
    if receipt.adopted:
        facts.append(("carried over from", _adoption_text(receipt.adopted)))
    facts += [("computed", _run_text(run)) for run in made.runs]
    facts.append(("commit", str(made.commit) if made.commit else "not committed yet"))
    for key, (then, now) in made.changed.items():
        facts.append(("params.yaml", f"{key} is {now} now, was {then} for this item"))
    return facts


def _adoption_text(adoption: Adoption) -> str:
    """The fingerprint under which a result was computed, and the sample it was adopted for."""
    made = adoption.fingerprint[:DIGITS]
    if not adoption.sample:
        return made
    return (
        f"{made}: {len(adoption.sample)} of {adoption.candidates} recomputed, all bit-equal "
        f"({', '.join(adoption.sample)}), at commit {adoption.commit[:DIGITS] or 'unknown'}"
    )


def _weight_text(weight: Weight) -> str:
    """Source and licence of weights."""
    return f"{weight.name} {weight.sha256[:DIGITS]} from {weight.source} ({weight.licence})"


def _run_text(run: dict[str, Any]) -> str:
    """When, where and how long."""
    place = f"{run.get('host')} ({run.get('device', 'cpu')})"
    return f"{run.get('finished')} on {place}, {run.get('seconds')} s"


def _values_text(values: dict[str, Any]) -> str:
    """Names and values on one line, without empty ones."""
    told = ((name, value) for name, value in sorted(values.items()) if value is not None)
    return ", ".join(
        f"{name} ({_values_text(value)})" if isinstance(value, dict) else f"{name} {value}"
        for name, value in told
    )


def prov(trace: Trace) -> dict[str, Any]:
    """Return the trace as PROV-JSON: entities, activities, agents and how they relate."""
    document: dict[str, Any] = {
        "prefix": {"mmx": "urn:mmx:", "prov": "http://www.w3.org/ns/prov#"},
        "entity": {},
        "activity": {},
        "agent": {},
        "wasGeneratedBy": {},
        "used": {},
        "wasAssociatedWith": {},
        "wasDerivedFrom": {},
    }
    for top in trace.chains:
        for made in all_items(top):
            _add_item(document, made)
    tables = {made.table: made for made in _items_of(trace)}
    for table, row in trace.rows.items():
        name = f"mmx:row/{trace.trailer}/{trace.clip}/{table}"
        values = {f"mmx:{key}": value for key, value in row.items() if value is not None}
        document["entity"][name] = {"prov:type": "mmx:row", **values}
        _relate(document, "wasGeneratedBy", entity=name, activity=activity(tables[table]))
    return document


def _items_of(trace: Trace) -> list[TracedItem]:
    """Every item of a trace."""
    return [made for top in trace.chains for made in all_items(top)]


def activity(made: TracedItem) -> str:
    """Name of the computation of an item."""
    return f"mmx:item/{made.receipt.fingerprint}"


def result(made: TracedItem) -> str:
    """Name of the result of an item."""
    return f"mmx:result/{made.receipt.output_digest}"


def _add_item(document: dict[str, Any], made: TracedItem) -> None:
    """Add an item: its activity, inputs, result and agent."""
    receipt, name = made.receipt, activity(made)
    ingredients = receipt.ingredients
    about = {
        "prov:type": f"mmx:step/{made.step}",
        "mmx:parameters": ingredients.parameters,
        "mmx:code": ingredients.code,
        "mmx:tools": ingredients.tools,
        "mmx:schema": ingredients.schema,
        "mmx:commit": made.commit.sha if made.commit else None,
        "mmx:fault": receipt.fault.reason if receipt.fault else None,
        "mmx:adopted": adoption_data(receipt.adopted),
        "prov:endTime": made.runs[-1].get("finished") if made.runs else None,
    }
    document["activity"][name] = {key: value for key, value in about.items() if value is not None}
    outputs = {output.name: output.sha256 for output in receipt.outputs}
    document["entity"][result(made)] = {"mmx:facts": receipt.facts, "mmx:sha256": outputs}
    _relate(document, "wasGeneratedBy", entity=result(made), activity=name)
    for role, origin in made.inputs.items():
        used = _input_entity(document, role, origin)
        _relate(document, "used", activity=name, entity=used)
        _relate(document, "wasDerivedFrom", generatedEntity=result(made), usedEntity=used)
    for weight in ingredients.weights:
        used = f"mmx:weights/{weight.sha256}"
        told = {"prov:atLocation": weight.source, "mmx:licence": weight.licence}
        document["entity"][used] = {"prov:label": weight.name, **told}
        _relate(document, "used", activity=name, entity=used)
    for run in made.runs:
        agent = f"mmx:host/{run.get('host')}"
        told = {"prov:type": "prov:SoftwareAgent", "mmx:device": run.get("device", "cpu")}
        document["agent"][agent] = told
        _relate(document, "wasAssociatedWith", activity=name, agent=agent)


def _input_entity(
    document: dict[str, Any], role: str, origin: TracedItem | Video | UnknownInput
) -> str:
    """Return the name of an input, and add it unless it is an item."""
    if isinstance(origin, TracedItem):
        return result(origin)
    if isinstance(origin, Video):
        name = f"mmx:video/{origin.sha256 or origin.digest}"
        told = {"mmx:sha256": origin.sha256, "prov:atLocation": origin.path}
        told |= {"mmx:url": origin.url, "mmx:fetched": origin.fetched}
        entity = document["entity"].setdefault(name, {"prov:type": "mmx:video"})
        entity |= {key: value for key, value in told.items() if value}
        entity[f"mmx:{role}_digest"] = origin.digest
        return name
    name = f"mmx:result/{origin.digest}"
    document["entity"][name] = {"prov:type": f"mmx:step/{role}"}
    return name


def _relate(document: dict[str, Any], kind: str, **ends: str) -> None:
    """Add a relation once; its name is made of its kind and its ends."""
    name = "_:" + "-".join((kind, *ends.values()))
    document[kind][name] = {f"prov:{role}": end for role, end in ends.items()}

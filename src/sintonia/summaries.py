"""What each verb says when it is done: figures for programs, and lines for people under the key `say`."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from sintonia.decision.arms import ARMS
from sintonia.decision.decide import Decided
from sintonia.decision.told import lines_of
from sintonia.erasure.erase import Erased
from sintonia.erasure.person import Person
from sintonia.expectation import expected_total
from sintonia.identity.explanation import Explanation, lines
from sintonia.identity.findings import masked_key
from sintonia.identity.page import grouped
from sintonia.identity.report import Report
from sintonia.interactions import Store
from sintonia.lists import Scored
from sintonia.lists.rows import STATUSES
from sintonia.registry import Registered
from sintonia.synthetic import SimulationSummary

Figures = dict[str, Any]

FOR_PEOPLE = ("say", "row")
"""Keys of figures that are words for people: lines to print, and a row for the table a sweep ends with."""


def simulate_figures(summary: SimulationSummary) -> Figures:
    """Return how many rows each silo of the synthetic brand has, and where they are."""
    say = [f"Synthetic brand: {summary.customers:,} customers in {len(summary.rows)} silos"]
    say += [f"  {name:<20} {rows:>10,} rows" for name, rows in summary.rows.items()]
    files = [*summary.files, summary.truth]
    say += _files(files)
    return {"customers": summary.customers, "rows": dict(summary.rows), "files": _texts(files), "say": say}


def build_figures(store: Store, beside: Sequence[Path]) -> Figures:
    """Return, silo by silo, rows in = rows stored + rejected, with the reasons; `beside` are files beside the store."""
    say = [f"{'silo':<20} {'rows in':>10}   {'stored':>10}   {'rejected':>8}"]
    for silo in store.silos:
        say.append(f"{silo.name:<20} {silo.rows:>10,} = {silo.stored:>10,} + {silo.rejected:>8,}")
        say += [f"    {count:>8,}  {reason}" for reason, count in silo.reasons.items()]
        if silo.after_until:
            say.append(f"    {silo.after_until:>8,}  not read: after source.until")
    say.append(
        f"{store.customers:,} customers, {store.interactions:,} interactions, store {store.fingerprint}"
    )
    some = {silo.name for silo in store.silos if silo.rejected}
    files = [store.folder, *(path for path in beside if path.parent.name != "rejected" or path.stem in some)]
    say += _files(files)
    return {
        "customers": store.customers,
        "interactions": store.interactions,
        "fingerprint": store.fingerprint,
        "store": str(store.folder),
        "silos": {
            silo.name: {
                "rows": silo.rows,
                "stored": silo.stored,
                "rejected": silo.rejected,
                "after_until": silo.after_until,
                "reasons": dict(silo.reasons),
                "data_until": str(silo.data_until) if silo.data_until else None,
            }
            for silo in store.silos
        },
        "files": _texts(files),
        "say": say,
    }


def identity_figures(report: Report, examples: int, page: Path) -> Figures:
    """Return sizes, rules, what a person should look at and, against the truth, precision, recall and F1."""
    say = [f"{report.records:,} {report.what}, {report.customers:,} customers"]
    sizes = ", ".join(f"{n:,} of {size}" for size, n in grouped(report.sizes).items())
    say.append(f"Customers by records: {sizes}")
    say.append("Ties by rule: " + ", ".join(f"{rule} {count:,}" for rule, count in report.rules.items()))
    agreement = {}
    if report.quality is not None:
        for name in ("pairwise", "b_cubed"):
            found = getattr(report.quality, name)
            agreement[name] = {"precision": found.precision, "recall": found.recall, "f1": found.f1}
            told = "  ".join(f"{key} {value:.4f}" for key, value in agreement[name].items())
            say.append(f"Against the truth, {name.replace('_', '-'):<9} {told}")
    shown = {name: list(map(str, found[:examples])) for name, found in report.examples.items()}
    for name, examples_of in shown.items():
        many = f"{report.findings[name]:,} {name}" if name in report.findings else name.capitalize()
        say += [f"{many}, to look at:", *(f"  {line}" for line in examples_of)]
    return {
        "what": report.what,
        "records": report.records,
        "customers": report.customers,
        "sizes": {str(size): count for size, count in report.sizes.items()},
        "rules": dict(report.rules),
        "findings": dict(report.findings),
        "examples": shown,
        **agreement,
        "files": [str(page)],
        "say": say + _files([page]),
    }


def explanation_figures(found: Explanation) -> Figures:
    """Return why a customer is one: identifiers, ties and what was kept apart, each with its time and masked."""
    return {**_plain(asdict(found)), "asked": masked_key(found.asked), "files": [], "say": lines(found)}


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value as JSON knows it, times in ISO."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value


def features_figures(of: str, entries: Sequence[dict[str, Any]], out: str | None) -> Figures:
    """Return the features, one entry each; for people, family by family with what each means."""
    say = [f"{len(entries):,} features of {of}"]
    width = max((len(entry["name"]) for entry in entries), default=0)
    family = None
    for entry in entries:
        if entry["family"] != family:
            family = entry["family"]
            say += ["", family]
        missing = (
            entry["missing"]
            if entry["missing"].startswith("never missing")
            else f"missing: {entry['missing']}"
        )
        unit = f"{entry['unit']}; {missing}"
        say.append(f"  {entry['name']:<{width}}  {entry['definition']} ({unit}). {entry['why']}.")
    files = [] if out is None else [Path(out)]
    return {
        "of": of,
        "features": list(entries),
        "files": _texts(files),
        "say": say + (_files(files) if files else []),
    }


def score_figures(scored: Scored) -> Figures:
    """Return what became of the list's rows: every row has one status, and one for each task."""
    totals, located = scored.totals, scored.located
    told = " + ".join(f"{totals.statuses[name]:,} {name}" for name in STATUSES if totals.statuses[name])
    say = [
        f"{totals.rows:,} rows of {scored.customers.path.name}, known by '{located.column}' ({located.key_type}) "
        f"= {told}"
    ]
    for (status, reason), rows in totals.reasons.most_common(5):
        say.append(f"  {rows:>10,} {status}: {reason}")
    tasks = {}
    for one in scored.models:
        counts, bands = totals.tasks.get(one.task, Counter()), totals.bands.get(one.task, Counter())
        customers = int(totals.sums[f"{one.task} customers"])
        tasks[one.task] = {
            "as_of": f"{one.as_of:%Y-%m-%d}",
            "model": f"{one.registered.name} v{one.registered.version}",
            "scored": counts["scored"],
            "not_eligible": counts["not eligible"],
            "without": counts.total() - counts["scored"] - counts["not eligible"],
            "customers": customers,
            "bands": dict(sorted(bands.items())),
            f"mean_{one.model.outcome}": totals.sums[one.task] / customers if customers else None,
        }
        banded = ", ".join(f"{count:,} {band}" for band, count in bands.most_common())
        say.append(
            f"  {one.task:<10} as of {one.as_of:%Y-%m-%d}: {counts['scored']:,} scored + "
            f"{counts['not eligible']:,} not eligible + {tasks[one.task]['without']:,} without a customer to score "
            f"= {counts.total():,} rows; customers by band: {banded or 'none'}"
        )
    say += [
        f"  {found.task:<10} since the last list of this name ({found.since:%Y-%m-%d %H:%M} UTC): {found.new:,} "
        f"customers new, {found.gone:,} gone, {found.higher:,} in a higher band, {found.lower:,} in a lower one"
        for found in scored.changes
    ]
    if totals.actions:
        done = ", ".join(f"{n:,} {' by '.join(filter(None, one))}" for one, n in totals.actions.most_common())
        say.append(f"  next best action: {done}")
    return {
        "rows": totals.rows,
        "statuses": {name: totals.statuses[name] for name in STATUSES},
        "unknown": totals.statuses["unknown"],
        "key": located.column,
        "key_type": located.key_type,
        "tasks": tasks,
        "changes": [_plain(asdict(one)) for one in scored.changes],
        "files": _texts(scored.files),
        "say": say + _files(scored.files),
    }


def with_watched(figures: Figures, listed: Scored, force: bool) -> Figures:
    """Return a list's figures with what each task may be expected to bring, and how far it is from the training."""
    tasks, say = dict(figures["tasks"]), []
    for one in listed.models:
        model, name, total = one.model, one.task, float(listed.totals.sums[one.task])
        told = {"drift": listed.watched[name].figures(force)}
        if model.reference is not None and model.reference.judged is not None and tasks[name]["customers"]:
            found = expected_total(total, model.reference.judged)
            unit, digits = (100, 2) if model.median_trees else (1, 1)
            what = "EUR expected" if model.median_trees else "outcomes expected"
            ends = [figure / unit for figure in (found.value, found.low, found.high)]
            told["expected"] = dict(zip(("value", "low", "high"), ends, strict=True))
            value, low, high = (f"{end:,.{digits}f}" for end in ends)
            say.append(f"  {name:<10} {value} {what} [{low}, {high}] of the customers scored")
        tasks[name] = {**tasks[name], **told}
    at = figures["say"].index("Files:")
    return {**figures, "tasks": tasks, "say": [*figures["say"][:at], *say, *figures["say"][at:]]}


def decide_figures(decided: Decided) -> Figures:
    """Return who was decided how, what was refused by what, what is scarce at which price, and the optimality gap."""
    chosen, refusals, one = decided.chosen, decided.refusals, decided.round
    actions = Counter(chosen.options.actions[action] for action in chosen.action.tolist())
    arms = {name: int((chosen.arm == at).sum()) for at, name in enumerate(ARMS)}
    counts, pairs = refusals.counts(), refusals.failed[:, 1:].size
    allowed = pairs - sum(counts.values())
    worth = float(
        np.take_along_axis(chosen.worth, chosen.option[:, np.newaxis], axis=1).sum(dtype=np.float64)
    )
    say = [
        f"Round {one.round_id}, decided at {one.decided_at:%Y-%m-%d %H:%M} as of {one.as_of:%Y-%m-%d} "
        f"by policy {one.policy_version}",
        f"{len(chosen.arm):,} customers = "
        + " + ".join(f"{n:,} {name}" for name, n in arms.items())
        + (
            f"; {decided.kept:,} were reached by this round before, and stay as they were"
            if decided.kept
            else ""
        ),
        "Actions: " + ", ".join(f"{n:,} {name}" for name, n in actions.most_common()),
        f"Worth {worth:,.2f} EUR by the effects given; the policy's part is at most "
        f"{chosen.allocation.gap:.3%} short of the best there is",
        f"{pairs:,} pairs of customer and action = {allowed:,} allowed + {pairs - allowed:,} refused, first by",
        *(f"  {count:>10,}  {name}" for name, count in counts.items() if count),
    ]
    limits = {}
    prices = chosen.allocation.shadow_price.tolist()
    for limit, used, price in zip(chosen.limits, chosen.used.tolist(), prices, strict=True):
        limits[limit.name] = {
            "used": used,
            "at_most": limit.at_most if np.isfinite(limit.at_most) else None,
            "at_least": limit.at_least,
            "shadow_price_eur": price,
        }
        most = f" of {limit.at_most:,.0f}" if np.isfinite(limit.at_most) else ""
        short = f", {limit.at_least - used:,.0f} short of its minimum" if used < limit.at_least else ""
        say.append(f"  {limit.name}: {used:,.0f}{most}{short}; one more would bring {price:,.4f} EUR")
    if chosen.exploration.turned_away:
        say.append(f"{chosen.exploration.turned_away:,} explorers drew what was no longer to be had")
    say.append(f"{decided.listed:,} customers on the list")
    return {
        "round": one.round_id,
        "decided_at": one.decided_at.isoformat(),
        "as_of": one.as_of.isoformat(),
        "policy_version": one.policy_version,
        "engagement": asdict(decided.policy),
        "customers": len(chosen.arm),
        "kept": decided.kept,
        "arms": arms,
        "actions": dict(actions.most_common()),
        "worth_eur": worth,
        "optimality_gap": chosen.allocation.gap,
        "pairs": pairs,
        "allowed": allowed,
        "refused": counts,
        "limits": limits,
        "listed": decided.listed,
        "files": _texts(decided.files),
        "say": say + _files(decided.files),
    }


def write_report(figures: Figures, path: Path) -> Figures:
    """Return the figures with their file among the files: what a round was, for who evaluates it later."""
    kept = {key: value for key, value in figures.items() if key not in (*FOR_PEOPLE, "files")}
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(kept, indent=1, default=str), encoding="utf-8")
    part.replace(path)
    return {**figures, "files": [*figures["files"], str(path)], "say": [*figures["say"], f"  {path}"]}


def told_figures(row: dict[str, Any]) -> Figures:
    """Return why one customer got what it got."""
    return {**_plain(row), "files": [], "say": lines_of(row)}


def review_figures(registered: Registered, page: Path) -> Figures:
    """Return where the review page is."""
    say = [f"Review of {registered.name} version {registered.version}; open it in a browser", *_files([page])]
    return {"model": registered.name, "version": registered.version, "files": [str(page)], "say": say}


def forget_figures(person: Person, erased: Erased, searched: int) -> Figures:
    """Return how many rows went from which file, counts of what was entombed, and what was left alone; no value."""
    kinds = person.kinds()
    told = ", ".join(f"{kind} {count:,}" for kind, count in kinds.items()) or "none known"
    say = [f"Forgotten: {len(person.ids):,} customer ids, {sum(kinds.values()):,} identifiers ({told})"]
    if person.shared:
        say.append(f"{len(person.shared):,} of them others use too: these go on for the others")
    say += [f"{rows:>10,} rows of {name}" for name, rows in erased.removed.items()] or [
        "Nothing was left of it"
    ]
    say.append(
        f"{len(person.entombed):,} tombstones in {erased.tombstones} keep them from returning; "
        f"{searched:,} files decoded and searched, no trace left"
    )
    say += [f"Left alone, for it is outside the workspace: {place}" for place in erased.outside]
    store = erased.store
    say.append(
        f"{store.customers:,} customers, {store.interactions:,} interactions, store {store.fingerprint}"
    )
    return {
        "customer_ids": len(person.ids),
        "identifiers": kinds,
        "shared_identifiers": len(person.shared),
        "removed": dict(erased.removed),
        "searched_files": searched,
        "left_alone": _texts(erased.outside),
        "customers": store.customers,
        "interactions": store.interactions,
        "fingerprint": store.fingerprint,
        "files": [str(erased.tombstones)],
        "say": say,
    }


def demo_figures(steps: dict[str, Figures], made: Sequence[Path], tracking_uri: str) -> Figures:
    """Return every step's figures, all files, and what to open next."""
    say = []
    for name, figures in steps.items():
        lines = figures["say"]
        say += [f"--- sintonia {name}", *(lines[: lines.index("Files:")] if "Files:" in lines else lines)]
    files = list(
        dict.fromkeys([*(file for figures in steps.values() for file in figures["files"]), *_texts(made)])
    )
    say += ["", *_files([Path(file) for file in files])]
    say += ["", "Open next:"]
    for file in (file for file in files if file.endswith(".html")):
        what = "the list on one page" if file.endswith("-scored.html") else "the review"
        say.append(f"  {file:<44} {what}, in a browser")
    say += [
        f"  {file:<44} the scored list, in a spreadsheet" for file in files if file.endswith("-scored.csv")
    ]
    say += [f"  mlflow ui --backend-store-uri {tracking_uri}   the runs and models"]
    told = {
        name: {key: value for key, value in figures.items() if key not in FOR_PEOPLE}
        for name, figures in steps.items()
    }
    return {"steps": told, "files": files, "say": say}


def _files(paths: Sequence[Path]) -> list[str]:
    """Return a line a file; numbered parts of one table share a line."""
    tables: dict[Path, list[Path]] = {}
    for path in paths:
        tables.setdefault(path.with_stem(path.stem.rstrip("0123456789")), []).append(path)
    lines = []
    for parts in tables.values():
        more = f" to {parts[-1].name}, {len(parts):,} files" if len(parts) > 1 else ""
        lines.append(f"  {parts[0]}{more}")
    return ["Files:", *lines]


def _texts(paths: Sequence[Path]) -> list[str]:
    return [str(path) for path in paths]

"""ScoredList lists and rounds of decisions, and what both verbs report."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from sintonia.api.pipelines.figures import Figures, file_lines, json_value, texts, write_report
from sintonia.core.config import DecideSettings, ScoreSettings
from sintonia.core.engine import connect
from sintonia.data.store import open_store
from sintonia.registry import models as registry
from sintonia.registry.tracking import open_tracking
from sintonia.serving.decisions.arms import ARMS
from sintonia.serving.decisions.decide import RoundResult, decide_round, propose
from sintonia.serving.decisions.explanations import explain_decision, explanation_lines
from sintonia.serving.expectation import expected_total
from sintonia.serving.lists import ScoredList, TaskModel, open_list, score_list
from sintonia.serving.lists.rows import STATUSES
from sintonia.serving.scoring import scoring_date
from sintonia.training.models import OutcomeModel
from sintonia.training.tasks import task_kind


def score_figures(scored: ScoredList) -> Figures:
    """Return the list's rows by status; every row has one status, and one for each task."""
    totals, located = scored.totals, scored.located
    counted = " + ".join(f"{totals.statuses[name]:,} {name}" for name in STATUSES if totals.statuses[name])
    say = [
        f"{totals.rows:,} rows of {scored.customers.path.name}, identified by '{located.column}' ({located.key_type})"
        f"{located.further} = {counted}"
    ]
    if totals.nobody:
        say.append(totals.nobody)
    for (status, reason), rows in totals.reasons.most_common(5):
        say.append(f"  {rows:>10,} {status}: {reason}")
    tasks = {}
    for task_model in scored.models:
        counts, bands = (
            totals.tasks.get(task_model.task, Counter()),
            totals.bands.get(task_model.task, Counter()),
        )
        customers = int(totals.sums[f"{task_model.task} customers"])
        tasks[task_model.task] = {
            "as_of": f"{task_model.as_of:%Y-%m-%d}",
            "model": f"{task_model.registered.name} v{task_model.registered.version}",
            "scored": counts["scored"],
            "not_eligible": counts["not eligible"],
            "without": counts.total() - counts["scored"] - counts["not eligible"],
            "customers": customers,
            "bands": dict(sorted(bands.items())),
            f"mean_{task_model.model.outcome}": totals.sums[task_model.task] / customers
            if customers
            else None,
        }
        band_counts = ", ".join(f"{count:,} {band}" for band, count in bands.most_common())
        say.append(
            f"  {task_model.task:<10} as of {task_model.as_of:%Y-%m-%d}: {counts['scored']:,} scored + "
            f"{counts['not eligible']:,} not eligible + {tasks[task_model.task]['without']:,} without a customer "
            f"to score = {counts.total():,} rows; customers by band: {band_counts or 'none'}"
        )
    say += [
        f"  {change.task:<10} since the last list of this name ({change.since:%Y-%m-%d %H:%M} UTC): {change.new:,} "
        f"customers new, {change.gone:,} gone, {change.higher:,} in a higher band, {change.lower:,} in a lower one"
        for change in scored.changes
    ]
    if totals.actions:
        actions = ", ".join(
            f"{n:,} {' by '.join(filter(None, task_model))}" for task_model, n in totals.actions.most_common()
        )
        say.append(f"  next best action: {actions}")
    return {
        "rows": totals.rows,
        "statuses": {name: totals.statuses[name] for name in STATUSES},
        "unknown": totals.statuses["unknown"],
        "key": located.column,
        "key_type": located.key_type,
        "tasks": tasks,
        "changes": [json_value(asdict(task_model)) for task_model in scored.changes],
        "files": texts(scored.files),
        "say": say + file_lines(scored.files),
    }


def with_watched(figures: Figures, listed: ScoredList, force: bool) -> Figures:
    """Return a list's figures with what each task may be expected to bring, and how far it is from the training."""
    tasks, say = dict(figures["tasks"]), []
    for task_model in listed.models:
        model, name, total = task_model.model, task_model.task, float(listed.totals.sums[task_model.task])
        watched_figures = {"drift": listed.watched[name].figures(force)} if name in listed.watched else {}
        if model.profile is not None and model.profile.outcome_ratio is not None and tasks[name]["customers"]:
            expected = expected_total(total, model.profile.outcome_ratio)
            unit, digits = (100, 2) if model.predicts_amounts else (1, 1)
            unit_text = f"{listed.currency} expected" if model.predicts_amounts else "outcomes expected"
            bounds = [figure / unit for figure in (expected.value, expected.low, expected.high)]
            watched_figures["expected"] = dict(zip(("value", "low", "high"), bounds, strict=True))
            value, low, high = (f"{end:,.{digits}f}" for end in bounds)
            say.append(f"  {name:<10} {value} {unit_text} [{low}, {high}] of the customers scored")
        tasks[name] = {**tasks[name], **watched_figures}
        if not model.gives_contributions:
            say.append(f"  {name:<10} has no reasons: its model gives no contributions of its features")
    position = figures["say"].index("Files:")
    return {**figures, "tasks": tasks, "say": [*figures["say"][:position], *say, *figures["say"][position:]]}


def decide_figures(decided: RoundResult) -> Figures:
    """Return decisions by arm and action, refusals by rule, limits with their shadow prices, and the optimality gap."""
    chosen, refusals, round_ = decided.chosen, decided.refusals, decided.round
    actions = Counter(chosen.options.actions[action] for action in chosen.action.tolist())
    arms = {name: int((chosen.arm == index).sum()) for index, name in enumerate(ARMS)}
    counts, pairs = refusals.counts(), refusals.failed[:, 1:].size
    allowed = pairs - sum(counts.values())
    value = float(
        np.take_along_axis(chosen.worth, chosen.option[:, np.newaxis], axis=1).sum(dtype=np.float64)
    )
    say = [
        f"Round {round_.round_id}, decided at {round_.decided_at:%Y-%m-%d %H:%M} as of {round_.as_of:%Y-%m-%d} "
        f"by policy {round_.policy_version}",
        f"{len(chosen.arm):,} customers = "
        + " + ".join(f"{n:,} {name}" for name, n in arms.items())
        + (
            f"; {decided.kept:,} were already contacted by this round and are unchanged"
            if decided.kept
            else ""
        ),
        "Actions: " + ", ".join(f"{n:,} {name}" for name, n in actions.most_common()),
        f"Value {value:,.2f} {decided.currency} by the estimated effects; the allocation of the policy arm is within "
        f"{chosen.allocation.gap:.3%} of the optimum",
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
            "shadow_price": price,
        }
        maximum = f" of {limit.at_most:,.0f}" if np.isfinite(limit.at_most) else ""
        shortfall = f", {limit.at_least - used:,.0f} short of its minimum" if used < limit.at_least else ""
        say.append(
            f"  {limit.name}: {used:,.0f}{maximum}{shortfall}; shadow price {price:,.4f} {decided.currency}"
        )
    if chosen.exploration.turned_away:
        say.append(
            f"{chosen.exploration.turned_away:,} customers drew an exploration action whose limit was used up"
        )
    say.append(f"{decided.listed:,} customers on the list")
    return {
        "round": round_.round_id,
        "decided_at": round_.decided_at.isoformat(),
        "as_of": round_.as_of.isoformat(),
        "policy_version": round_.policy_version,
        "engagement": asdict(decided.engagement),
        "configured_actions": {name: asdict(action) for name, action in decided.actions.items()},
        "customers": len(chosen.arm),
        "kept": decided.kept,
        "arms": arms,
        "actions": dict(actions.most_common()),
        "worth": value,
        "optimality_gap": chosen.allocation.gap,
        "pairs": pairs,
        "allowed": allowed,
        "refused": counts,
        "limits": limits,
        "listed": decided.listed,
        "files": texts(decided.files),
        "say": say + file_lines(decided.files),
    }


def told_figures(row: dict[str, Any], currency: str) -> Figures:
    """Return why one customer got what it got."""
    return {**json_value(row), "files": [], "say": explanation_lines(row, currency)}


def score(settings: ScoreSettings) -> Figures:
    """Return what became of a list's rows, written back with the scores of every requested task."""
    workspace = settings.paths.root
    with ExitStack() as stack:
        customers, settings = open_list(stack, settings)
        store = open_store(workspace)
        tracking = open_tracking(settings.tracking, workspace)
        predicted = [task for task in settings.tasks if task_kind(task) == "outcome"]
        models = [
            TaskModel(model, registered, scoring_date(settings.as_of, store, model))
            for model, registered in (
                registry.find_models(tracking, predicted, OutcomeModel)
                if predicted or not settings.tasks
                else []
            )
        ]
        propose_actions = (
            partial(propose, store, proposal(settings)) if len(predicted) < len(settings.tasks) else None
        )
        connection = stack.enter_context(connect(settings.engine, workspace))
        scored = score_list(connection, store, customers, models, settings, propose_actions)
        return with_watched(score_figures(scored), scored, settings.force)


def proposal(settings: ScoreSettings) -> DecideSettings:
    """Return the round that a list's next best actions are taken from: as of the list's date, never written."""
    return DecideSettings(
        workspace=settings.workspace,
        engine=settings.engine,
        source=settings.source,
        as_of=settings.as_of,
        decided_at=settings.as_of,
        features=settings.features,
        actions=settings.actions,
        engagement=settings.engagement,
        tracking=settings.tracking,
    )


def decide(settings: DecideSettings) -> Figures:
    """Return one action for each customer, with its hour and reasons; or, with `customer`, why it got its own."""
    store = open_store(settings.paths.root)
    if settings.customer is not None:
        return told_figures(explain_decision(store, settings.customer, settings.round), store.currency)
    decided = decide_round(store, settings)
    return write_report(decide_figures(decided), store.rounds / f"{decided.round.round_id}.json")

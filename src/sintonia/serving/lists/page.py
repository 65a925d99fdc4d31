"""The list on one page: what became of its rows, what to expect of its customers, and what has changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sintonia.core.html import count, number, template
from sintonia.core.intervals import Z95
from sintonia.serving.expectation import expected_total
from sintonia.serving.lists.answers import Totals
from sintonia.serving.lists.chunks import TaskModel
from sintonia.serving.lists.history import ScoreChange
from sintonia.serving.lists.rows import STATUSES
from sintonia.training.tasks import describe

LISTED = 12


def render_list_page(
    told: tuple[str, str, Sequence[str]],
    models: Sequence[TaskModel],
    totals: Totals,
    changes: Sequence[ScoreChange],
    currency: str,
) -> str:
    """Return the page as self-contained HTML: no script, no network, nobody's data.

    `told` are the list's name, what its rows are known by, and how far it is from the training, in words. The interval
    of what is expected is that of `expected_total`; of a model that was never judged out of time, that of independent
    outcomes, whose variance is p (1 - p) each.
    """
    name, key, warnings = told
    statuses = {status: totals.statuses[status] for status in STATUSES if totals.statuses[status]}
    reasons = [
        {"name": status, "why": reason, "count": rows}
        for (status, reason), rows in totals.reasons.most_common(LISTED)
    ]
    return template("list.html.j2").render(
        name=name,
        key=key,
        rows=totals.rows,
        told=totals.statuses["scored"] + totals.statuses["duplicate"],
        statuses=_bars(statuses),
        reasons=reasons,
        warnings=warnings,
        actions=_bars({" by ".join(filter(None, one)): n for one, n in totals.actions.most_common()}),
        tasks=[_task(one, totals, currency) for one in models],
        changes=[
            _change(one, amounts={m.task for m in models if m.model.predicts_amounts}) for one in changes
        ],
    )


def _bars(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    most = max(counts.values(), default=1)
    return [
        {"name": name, "count": rows, "length": round(100 * rows / most, 1)} for name, rows in counts.items()
    ]


def _task(one: TaskModel, totals: Totals, currency: str) -> dict[str, Any]:
    bands: Mapping[str, int] = totals.bands.get(one.task, {})
    expected, interval = expectation(one, totals, currency)
    return {
        "name": one.task,
        "outcome": describe(one.model.task)[1],
        "as_of": f"{one.as_of:%Y-%m-%d}",
        "model": f"{one.registered.name} v{one.registered.version}",
        "customers": int(totals.sums[f"{one.task} customers"]),
        "expected": expected,
        "interval": interval,
        "bands": _bars(dict(sorted(bands.items(), key=lambda pair: -pair[1]))) if any(bands) else [],
    }


def expectation(one: TaskModel, totals: Totals, currency: str) -> tuple[str, str]:
    """Return what a task expects of the customers scored, and its interval, "" where the model gives none."""
    total = float(totals.sums[one.task])
    if one.model.task.categories:
        return "", ""
    judged = None if one.model.profile is None else one.model.profile.outcome_ratio
    if judged is not None and total:
        found = expected_total(total, judged)
        if one.model.predicts_amounts:
            value, low, high = (number(end / 100, 2) for end in (found.value, found.low, found.high))
            return f"{value} {currency}", f"{low} to {high}"
        return count(round(found.value)), f"{count(max(round(found.low), 0))} to {count(round(found.high))}"
    if one.model.predicts_amounts:
        return f"{number(total / 100, 2)} {currency}", ""
    half = Z95 * float(totals.sums[f"{one.task} variance"]) ** 0.5
    customers = int(totals.sums[f"{one.task} customers"])
    return count(
        round(total)
    ), f"{count(max(round(total - half), 0))} to {count(min(round(total + half), customers))}"


def _change(one: ScoreChange, amounts: set[str]) -> dict[str, Any]:
    unit, digits = (100, 2) if one.task in amounts else (1, 4)
    means = {
        name: "" if value is None else number(value / unit, digits)
        for name, value in (("before", one.mean_before), ("now", one.mean_now))
    }
    return {**vars(one), **means, "since": f"{one.since:%Y-%m-%d %H:%M} UTC"}

"""What the verbs of runs report: a training, a comparison, a promotion, a review and a reviewer's decision."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sintonia.api.pipelines.figures import Figures, file_lines
from sintonia.core.intervals import Estimate
from sintonia.core.timeline import PARTS, dates_text
from sintonia.evaluation.evaluate import Evaluation
from sintonia.evaluation.leakage import leak_figures
from sintonia.evaluation.leakage.report import leak_lines
from sintonia.registry.approval import ReviewDecision
from sintonia.registry.comparison import ComparedRun, RunComparison
from sintonia.registry.promotion import ChampionChange
from sintonia.registry.promotion_checks import Requirement
from sintonia.registry.tracking import Registered
from sintonia.review.evidence import TrainingResult
from sintonia.training.tasks import NEXT_BEST_ACTION, describe
from sintonia.training.tuning import ChosenSettings, TuningResult

SHORT = {
    "auc": "AUC",
    "average_precision": "AP",
    "brier": "Brier",
    "log_loss": "log loss",
    "lift_top10": "lift, top 10 %",
    "calibration_error": "calibration error",
    "capture_top20": "spend in top 20 %",
    "expected_profit": "max. profit",
    "rank_correlation": "rank corr.",
    "total_ratio": "total",
    "tweedie_deviance": "Tweedie dev.",
    "median_error": "median error",
}
"""Metrics in the order in which they are printed, with names short enough for a column."""

IN_CURRENCY = ("expected_profit", "median_error")
"""Metrics that are amounts."""

NAME_WIDTH = 14
"""Letters of the names of models, at least."""

ACROSS = 4
"""Metrics side by side in a table."""


def short_name(metric: str, currency: str) -> str:
    """Return a metric's name for a column, with the currency where it is an amount.

    Examples
    --------
    >>> short_name("auc", "CHF"), short_name("median_error", "CHF")
    ('AUC', 'median error, CHF')
    """
    name = SHORT.get(metric, metric)
    return f"{name}, {currency}" if metric in IN_CURRENCY else name


def validation_lines(validation: ChosenSettings, currency: str) -> list[str]:
    """Return lines on the rolling folds and the search."""
    lines = []
    if (search := validation.search) is not None:
        given_up = sum(trial.loss is None for trial in search.trials)
        settings = " ".join(f"model.{name}={value:.4g}" for name, value in search.best.settings.items())
        lines.append(
            f"Search: {len(search.trials)} trials, {given_up} of them given up early; best at "
            f"{search.best.loss:.4f} of the start's loss: {settings}"
        )
    if validation.folds:
        name = "auc" if "auc" in validation.folds[0].figures else next(iter(validation.folds[0].figures))
        by_date = ", ".join(f"{fold.figures[name]:.3f} ({fold.as_of})" for fold in validation.folds)
        lines.append(f"Rolling validation before the test, {short_name(name, currency)} by date: {by_date}")
    return lines


def metric_lines(evaluation: Evaluation, currency: str) -> list[str]:
    """Return the metrics of the model and its baselines as tables of a few columns each."""
    names = [name for name in SHORT if name in evaluation.estimates[evaluation.model]]
    blocks = [names[start : start + ACROSS] for start in range(0, len(names), ACROSS)]
    return [line for block in blocks for line in _block(evaluation, block, currency)]


def _block(evaluation: Evaluation, names: Sequence[str], currency: str) -> list[str]:
    width = max(NAME_WIDTH, *map(len, evaluation.estimates))
    lines = [f"  {'':<{width}}" + "".join(f"{short_name(name, currency):>24}" for name in names)]
    for model, estimates in evaluation.estimates.items():
        cells = [estimates[name].text() if name in estimates else "" for name in names]
        lines.append(f"  {model:<{width}}" + "".join(f"  {cell:>22}" for cell in cells))
    return lines


def grade_line(evaluation: Evaluation, currency: str) -> str | None:
    """Return the grade in words, None when there is no baseline."""
    best = evaluation.best_baseline()
    if best is None:
        return None
    metric = evaluation.headline
    difference = evaluation.differences[best][metric].text()
    return (
        f"Grade {evaluation.grade}: by {short_name(metric, currency)} the model is {evaluation.verdict(best)} "
        f"the {best}, the best baseline: difference {difference}"
    )


CHANGES = 4
RECENT = 5


def train_figures(training: TrainingResult, registered: Registered) -> Figures:
    """Return the out-of-time metrics of model and baselines, with intervals, and the registered model's name."""
    settings, split, evaluation = training.settings, training.split, training.evaluation
    currency = training.store.currency
    population, outcome = describe(settings.task)
    dates = ", ".join(f"{as_of:%Y-%m-%d}" for as_of in split.test)
    say = [
        f"Task {settings.task.name}: of the {population}, who {outcome}?",
        f"{'Dates' if split.out_of_time else 'Customers'} (split={settings.split.name}): {dates_text(split)}",
        f"Judged on {evaluation.rows:,} rows of {evaluation.customers:,} customers as of {dates}; "
        f"it happens to {evaluation.label_rate:.1%}. 95 % intervals over customers:",
        *metric_lines(evaluation, currency),
    ]
    if (line := grade_line(evaluation, currency)) is not None:
        say.append(line)
    say += validation_lines(training.validation, currency)
    say += leak_lines(training.leaks)
    say += [f"Marked: {mark}" for mark in split.marks]
    say += [f"Forced on too little data: {lack}" for lack in training.sufficiency.lacks]
    say.append(f"Registered as {registered.name} version {registered.version} ({registered.alias})")
    names = [name for name in SHORT if name in evaluation.estimates[evaluation.model]][:ACROSS]
    return {
        "task": settings.task.name,
        "model": registered.name,
        "version": registered.version,
        "alias": registered.alias,
        "run_id": registered.run_id,
        "files": [],
        **{f"{part}_as_of": [f"{as_of:%Y-%m-%d}" for as_of in getattr(split, part)] for part in PARTS},
        "marks": list(split.marks),
        "out_of_time": split.out_of_time,
        **evaluation.figures(),
        "folds": [asdict(fold) for fold in training.validation.folds],
        "search": search_figures(training.validation.search),
        "enough": training.sufficiency.figures(),
        "forced": bool(training.sufficiency.lacks),
        "may_leak": leak_figures(training.leaks)["may_leak"],
        "row": {
            short_name(name, currency): evaluation.estimates[evaluation.model][name].text() for name in names
        },
        "say": say,
    }


def compare_figures(comparison: RunComparison, currency: str) -> Figures:
    """Return each run's metric and its paired difference to the reference."""
    reference, title = comparison.reference, short_name(comparison.metric, currency)
    alias = f" ({reference.registered.alias})" if reference.registered.alias else ""
    lines = [
        f"Task {comparison.task}: runs beside version {reference.registered.version}{alias} by {title}, on the rows "
        "that both judged; 95 % intervals over customers, paired",
        f"  {'version':<9}{'trained':<18}{'grade':<7}{'rows':>8}{title:>24}{'difference':>26}  is",
    ]
    for run in comparison.runs:
        value = "" if run.own is None else run.own.text()
        difference = "" if run.gap is None else run.gap.text(signed=True)
        verdict = run.verdict or ("the reference" if run is reference else "judged on other rows")
        cells = (
            f"  {run.registered.version:<9}{run.at:%Y-%m-%d %H:%M}  {run.grade:<7}{run.rows:>8,}"
            f"{value:>24}{difference:>26}"
        )
        lines.append(f"{cells}  {verdict}{_changed(run)}")
    return {
        "task": comparison.task,
        "metric": comparison.metric,
        "reference": reference.registered.version,
        "runs": [
            {
                "version": run.registered.version,
                "alias": run.registered.alias,
                "run_id": run.registered.run_id,
                "at": run.at.isoformat(timespec="seconds"),
                "grade": run.grade,
                "rows": run.rows,
                "value": None if run.own is None else asdict(run.own),
                "difference": None if run.gap is None else asdict(run.gap),
                "verdict": run.verdict,
                "changed": {name: list(values) for name, values in run.changed.items()},
            }
            for run in comparison.runs
        ],
        "files": [],
        "say": lines,
    }


def _changed(run: ComparedRun) -> str:
    """Return the settings in which a run differs from the reference, as they would be typed."""
    if not run.changed:
        return ""
    shown = [f"{name}={values[0]}" for name, values in [*run.changed.items()][:CHANGES]]
    rest = f" and {len(run.changed) - CHANGES} more" if len(run.changed) > CHANGES else ""
    return f"; {' '.join(shown)}{rest}"


def promote_figures(
    name: str,
    entry: ChampionChange,
    gate: Sequence[Requirement],
    changes: Sequence[ChampionChange],
    card: Path | None,
) -> Figures:
    """Return the result of the gate, the present champion, every change of champion so far, and the card's path."""
    say = [f"Gate of {name} version {entry.version}:"] if gate else []
    say += [f"  {'passed' if item.passed else 'FAILED'}  {item.name}: {item.explanation}" for item in gate]
    previous = f", before it version {entry.before}" if entry.before else ""
    status = {"promote": "is champion", "rollback": "is champion again"}[entry.action]
    forced = ", by force: " + ", ".join(entry.failed) if entry.forced else ""
    say.append(f"{name} version {entry.version} {status}{previous}{forced}")
    say.append(f"Changes of champion so far: {len(changes)}, the last of them:")
    for item in changes[-RECENT:]:
        failed = f" (forced: {', '.join(item.failed)})" if item.forced else ""
        say.append(f"  {item.at}  {item.action:<9}version {item.version}{failed}")
    files = [] if card is None else [str(card)]
    say += [f"Model card: {path}" for path in files]
    return {
        "model": name,
        "champion": entry.version,
        "before": entry.before,
        "action": entry.action,
        "forced": entry.forced,
        "gate": [asdict(item) for item in gate],
        "history": [asdict(item) for item in changes],
        "files": files,
        "say": say,
    }


def sign_figures(
    registered: Registered, decision: ReviewDecision, decisions: Sequence[ReviewDecision]
) -> Figures:
    """Return the decision just taken, and every one on the model's versions so far."""
    verb = {"approve": "approved", "reject": "rejected"}[decision.action]
    say = [
        f"{registered.name} version {registered.version} {verb} by {decision.reviewer}, {decision.at[:16]} UTC",
        f"  model SHA-256 {decision.model_digest[:16]}, page SHA-256 {decision.page_digest[:16]}",
        f"Decisions so far: {len(decisions)}, the last of them:",
    ]
    say += [
        f"  {entry.at[:16]}  {entry.action:<8}version {entry.version}  {entry.reviewer}"
        f"{': ' if entry.remark else ''}{entry.remark}"
        for entry in decisions[-RECENT:]
    ]
    return {
        "model": registered.name,
        **asdict(decision),
        "decisions": [asdict(entry) for entry in decisions],
        "files": [],
        "say": say,
    }


def search_figures(search: TuningResult | None) -> dict[str, Any] | None:
    """Return the number of trials of a search and its best settings; None without a search."""
    if search is None:
        return None
    return {
        "trials": len(search.trials),
        "given_up": sum(trial.loss is None for trial in search.trials),
        "relative_loss": search.best.loss,
        "settings": dict(search.best.settings),
    }


def policy_figures(
    figures: Mapping[str, Any], lines: Sequence[str], effects: Path, registered: Registered
) -> Figures:
    """Return the values of a learned policy and of simpler ones, the result of the gate, and the registered name."""
    registered_line = f"Registered as {registered.name} version {registered.version} ({registered.alias})"
    chosen = figures["policies"]["chosen"]["doubly_robust"]
    return {
        "task": NEXT_BEST_ACTION,
        "model": registered.name,
        "version": registered.version,
        "alias": registered.alias,
        "run_id": registered.run_id,
        "files": [str(effects)],
        **figures,
        "row": {
            "policy": "personalised" if figures["gate"]["passed"] else figures["gate"]["constant"],
            "value": Estimate(*chosen).text(),
            "against the constant": Estimate(*figures["gate"]["difference"]).text(),
        },
        "say": [
            *lines,
            registered_line,
            f"Effects of everybody: {effects} (sintonia decide effects={effects})",
        ],
    }


def review_figures(registered: Registered, page: Path) -> Figures:
    """Return where the review page is."""
    say = [
        f"Review of {registered.name} version {registered.version}; open it in a browser",
        *file_lines([page]),
    ]
    return {"model": registered.name, "version": registered.version, "files": [str(page)], "say": say}

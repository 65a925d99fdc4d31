"""What the verbs of runs report: a training, a comparison, a promotion, a review and a reviewer's decision."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sintonia.api.pipelines.figures import Figures, file_lines
from sintonia.core.intervals import Estimate
from sintonia.evaluation.estimates import Evaluation
from sintonia.evaluation.leakage import leak_figures
from sintonia.evaluation.leakage.report import leak_lines
from sintonia.registry.approval import Decision
from sintonia.registry.comparison import Compared, RunComparison
from sintonia.registry.models import Registered
from sintonia.registry.promotion import ChampionChange
from sintonia.registry.promotion_checks import Requirement
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


def validation_lines(found: ChosenSettings, currency: str) -> list[str]:
    """Return what the rolling folds said, and the search."""
    lines = []
    if (searched := found.search) is not None:
        given_up = sum(trial.loss is None for trial in searched.trials)
        settings = " ".join(f"model.{name}={value:.4g}" for name, value in searched.best.settings.items())
        lines.append(
            f"Search: {len(searched.trials)} trials, {given_up} of them given up early; best at "
            f"{searched.best.loss:.4f} of the start's loss: {settings}"
        )
    if found.folds:
        name = "auc" if "auc" in found.folds[0].figures else next(iter(found.folds[0].figures))
        each = ", ".join(f"{fold.figures[name]:.3f} ({fold.as_of})" for fold in found.folds)
        lines.append(f"Rolling validation before the test, {short_name(name, currency)} by date: {each}")
    return lines


def metric_lines(judged: Evaluation, currency: str) -> list[str]:
    """Return the metrics of the model and its baselines as tables of a few columns each."""
    names = [name for name in SHORT if name in judged.estimates[judged.model]]
    blocks = [names[start : start + ACROSS] for start in range(0, len(names), ACROSS)]
    return [line for block in blocks for line in _block(judged, block, currency)]


def _block(judged: Evaluation, names: Sequence[str], currency: str) -> list[str]:
    lines = [f"  {'':<14}" + "".join(f"{short_name(name, currency):>24}" for name in names)]
    for model, of in judged.estimates.items():
        cells = [of[name].text() if name in of else "" for name in names]
        lines.append(f"  {model:<14}" + "".join(f"  {cell:>22}" for cell in cells))
    return lines


def grade_line(judged: Evaluation, currency: str) -> str | None:
    """Return the grade in words, None when there is no baseline."""
    best = judged.best_baseline()
    if best is None:
        return None
    metric = judged.headline
    gap = judged.differences[best][metric].text()
    return (
        f"Grade {judged.grade}: by {short_name(metric, currency)} the model is {judged.verdict(best)} the {best}, "
        f"the best baseline: difference {gap}"
    )


CHANGES = 4
RECENT = 5


def train_figures(training: TrainingResult, registered: Registered) -> Figures:
    """Return the out-of-time metrics beside the baselines', with intervals, and the registered model's name."""
    settings, split, judged = training.settings, training.split, training.judged
    currency = training.store.currency
    population, outcome = describe(settings.task)
    dates = ", ".join(f"{as_of:%Y-%m-%d}" for as_of in split.test)
    say = [
        f"Task {settings.task.name}: of the {population}, who {outcome}?",
        f"Judged on {judged.rows:,} rows of {judged.customers:,} customers as of {dates}; "
        f"it happens to {judged.label_rate:.1%}. 95 % intervals over customers:",
        *metric_lines(judged, currency),
    ]
    if (line := grade_line(judged, currency)) is not None:
        say.append(line)
    say += validation_lines(training.validated, currency)
    say += leak_lines(training.leaks)
    say += [f"Forced on too little data: {lack}" for lack in training.enough.lacks]
    say.append(f"Registered as {registered.name} version {registered.version} ({registered.alias})")
    names = [name for name in SHORT if name in judged.estimates[judged.model]][:ACROSS]
    return {
        "task": settings.task.name,
        "model": registered.name,
        "version": registered.version,
        "alias": registered.alias,
        "run_id": registered.run_id,
        "files": [],
        "test_as_of": [f"{as_of:%Y-%m-%d}" for as_of in split.test],
        **judged.figures(),
        "folds": [asdict(fold) for fold in training.validated.folds],
        "search": search_figures(training.validated.search),
        "enough": training.enough.figures(),
        "forced": bool(training.enough.lacks),
        "may_leak": leak_figures(training.leaks)["may_leak"],
        "row": {short_name(name, currency): judged.estimates[judged.model][name].text() for name in names},
        "say": say,
    }


def compare_figures(found: RunComparison, currency: str) -> Figures:
    """Return each run's metric and its paired difference to the reference."""
    reference, title = found.reference, short_name(found.metric, currency)
    alias = f" ({reference.registered.alias})" if reference.registered.alias else ""
    say = [
        f"Task {found.task}: runs beside version {reference.registered.version}{alias} by {title}, on the rows that "
        "both judged; 95 % intervals over customers, paired",
        f"  {'version':<9}{'trained':<18}{'grade':<7}{'rows':>8}{title:>24}{'difference':>26}  is",
    ]
    for one in found.runs:
        own = "" if one.own is None else one.own.text()
        gap = "" if one.gap is None else one.gap.text(signed=True)
        verdict = one.verdict or ("the reference" if one is reference else "judged on other rows")
        cells = f"  {one.registered.version:<9}{one.at:%Y-%m-%d %H:%M}  {one.grade:<7}{one.rows:>8,}{own:>24}{gap:>26}"
        say.append(f"{cells}  {verdict}{_changed(one)}")
    return {
        "task": found.task,
        "metric": found.metric,
        "reference": reference.registered.version,
        "runs": [
            {
                "version": one.registered.version,
                "alias": one.registered.alias,
                "run_id": one.registered.run_id,
                "at": one.at.isoformat(timespec="seconds"),
                "grade": one.grade,
                "rows": one.rows,
                "value": None if one.own is None else asdict(one.own),
                "difference": None if one.gap is None else asdict(one.gap),
                "verdict": one.verdict,
                "changed": {name: list(values) for name, values in one.changed.items()},
            }
            for one in found.runs
        ],
        "files": [],
        "say": say,
    }


def _changed(one: Compared) -> str:
    """Return the settings in which a run differs from the reference, as they would be typed."""
    if not one.changed:
        return ""
    shown = [f"{name}={values[0]}" for name, values in [*one.changed.items()][:CHANGES]]
    more = f" and {len(one.changed) - CHANGES} more" if len(one.changed) > CHANGES else ""
    return f"; {' '.join(shown)}{more}"


def promote_figures(
    name: str,
    entry: ChampionChange,
    gate: Sequence[Requirement],
    past: Sequence[ChampionChange],
    card: Path | None,
) -> Figures:
    """Return what the gate said, who is champion now, every change of champion so far, and where the card is."""
    say = [f"Gate of {name} version {entry.version}:"] if gate else []
    say += [f"  {'passed' if one.passed else 'FAILED'}  {one.name}: {one.explanation}" for one in gate]
    before = f", before it version {entry.before}" if entry.before else ""
    how = {"promote": "is champion", "rollback": "is champion again"}[entry.action]
    forced = ", by force: " + ", ".join(entry.failed) if entry.forced else ""
    say.append(f"{name} version {entry.version} {how}{before}{forced}")
    say.append(f"Changes of champion so far: {len(past)}, the last of them:")
    for one in past[-RECENT:]:
        failed = f" (forced: {', '.join(one.failed)})" if one.forced else ""
        say.append(f"  {one.at}  {one.action:<9}version {one.version}{failed}")
    files = [] if card is None else [str(card)]
    say += [f"Model card: {path}" for path in files]
    return {
        "model": name,
        "champion": entry.version,
        "before": entry.before,
        "action": entry.action,
        "forced": entry.forced,
        "gate": [asdict(one) for one in gate],
        "history": [asdict(one) for one in past],
        "files": files,
        "say": say,
    }


def sign_figures(registered: Registered, decision: Decision, made: Sequence[Decision]) -> Figures:
    """Return the decision just taken, and every one on the model's versions so far."""
    what = {"approve": "approved", "reject": "rejected"}[decision.action]
    say = [
        f"{registered.name} version {registered.version} {what} by {decision.reviewer}, {decision.at[:16]} UTC",
        f"  model SHA-256 {decision.model_digest[:16]}, page SHA-256 {decision.page_digest[:16]}",
        f"Decisions so far: {len(made)}, the last of them:",
    ]
    say += [
        f"  {one.at[:16]}  {one.action:<8}version {one.version}  {one.reviewer}{': ' if one.remark else ''}{one.remark}"
        for one in made[-RECENT:]
    ]
    return {
        "model": registered.name,
        **asdict(decision),
        "decisions": [asdict(one) for one in made],
        "files": [],
        "say": say,
    }


def search_figures(found: TuningResult | None) -> dict[str, Any] | None:
    """Return how many trials a search made and what it found; None without one."""
    if found is None:
        return None
    return {
        "trials": len(found.trials),
        "given_up": sum(trial.loss is None for trial in found.trials),
        "relative_loss": found.best.loss,
        "settings": dict(found.best.settings),
    }


def policy_figures(
    figures: Mapping[str, Any], lines: Sequence[str], effects: Path, registered: Registered
) -> Figures:
    """Return what a learned policy is worth beside simpler ones, the gate's answer, and the registered name."""
    place = f"Registered as {registered.name} version {registered.version} ({registered.alias})"
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
        "say": [*lines, place, f"Effects of everybody: {effects} (sintonia decide effects={effects})"],
    }


def review_figures(registered: Registered, page: Path) -> Figures:
    """Return where the review page is."""
    say = [
        f"Review of {registered.name} version {registered.version}; open it in a browser",
        *file_lines([page]),
    ]
    return {"model": registered.name, "version": registered.version, "files": [str(page)], "say": say}

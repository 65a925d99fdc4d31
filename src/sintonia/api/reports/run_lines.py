"""Metrics of a run as lines of text."""

from collections.abc import Sequence

from sintonia.evaluation.estimates import Evaluation
from sintonia.training.tuning import Validated

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


def validation_lines(found: Validated, currency: str) -> list[str]:
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

"""Whether anything peeks: features on the user's own data, and columns that may tell of the future."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from sintonia.check import LeakRules, Question, ask, at, choose_dates, find_leaks, prove
from sintonia.check.words import check_figures
from sintonia.config import CheckSettings
from sintonia.engine import connect
from sintonia.features import Feature
from sintonia.interactions import Store, open_store
from sintonia.pipelines.policies import features_at_decisions, newest_decisions
from sintonia.pipelines.training import asked_of
from sintonia.progress import step
from sintonia.summaries.figures import Figures
from sintonia.tasks import NEXT_BEST_ACTION
from sintonia.training_set import Rows
from sintonia.uplift.assembled import features_of, moments, split_points


def check(settings: CheckSettings) -> Figures:
    """Return whether a feature moves with what was not yet known, and which columns may tell of the future."""
    if settings.task.name == NEXT_BEST_ACTION:
        return _check_policy(settings)
    store = open_store(Path(settings.workspace))
    settings, split = asked_of(settings, store)
    with step("Looking up who is asked about"):
        moments = ask(store, split, settings.task, settings.rows)
    dates = choose_dates(moments, settings.dates)
    question = Question(settings.features, settings.task, dates, settings.customers, settings.seed)
    return _checked(settings, store, question, (moments, at(moments, split.test)))


def _check_policy(settings: CheckSettings) -> Figures:
    """Return the same of the features at decisions, and of the columns beside whether any reward followed."""
    store = open_store(Path(settings.workspace))
    points = newest_decisions(store, settings)
    when = moments(points)
    asked = pa.table(
        {
            "customer_id": pa.array(points.customer_id, pa.string()),
            "as_of": pa.array(when, pa.timestamp("us")),
            "label": (points.reward > 0).astype(np.int8),
        }
    )

    def rows_of(some: Store, as_ofs: Sequence[datetime], made: Sequence[Feature]) -> Rows:
        there = np.isin(points.customer_id.astype(str), sorted(some.customer_ids()))
        rows = points.take(there & np.isin(when, np.array(as_ofs, "datetime64[us]")))
        values = features_of(some, rows, made, settings.engine)
        names = tuple(feature.name for feature in made)
        return Rows(rows.customer_id, moments(rows), values, (rows.reward > 0).astype(np.int8), names)

    past, judged = split_points(points, settings.effects.judge_from)
    chosen = features_at_decisions(store, points.take(past), settings)
    dates = choose_dates(asked, settings.dates)
    question = Question(chosen, settings.task, dates, settings.customers, settings.seed, rows_of)
    return _checked(settings, store, question, (asked, asked.filter(pa.array(judged))))


def _checked(
    settings: CheckSettings, store: Store, question: Question, asked: tuple[pa.Table, pa.Table]
) -> Figures:
    """Return what moved at all moments, and what the columns tell at the second table's, the judged ones."""
    everything, judged = asked
    workspace = Path(settings.workspace)
    with connect(settings.engine, workspace) as connection:
        trials = prove(connection, store, everything, question, workspace)
        with step("Looking for columns that may leak"):
            rules = LeakRules(settings.rows, settings.strong_auc, settings.seed)
            findings = find_leaks(connection, store, judged, settings.task, rules)
    return check_figures(trials, findings)

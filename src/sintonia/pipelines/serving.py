"""A model on customers: a list scored, a round decided."""

import logging
from pathlib import Path

from sintonia import registry
from sintonia.config import (
    DecideSettings,
    ScoreSettings,
)
from sintonia.decision.decide import decide_round, propose
from sintonia.decision.told import told_of
from sintonia.drift import Watched, drift_of, watch
from sintonia.interactions import Store, open_store
from sintonia.lists import action_columns, locate, read_list, score_columns, write_list
from sintonia.scoring import Scores, score_customers, scoring_date
from sintonia.summaries import (
    Figures,
    decide_figures,
    score_figures,
    told_figures,
    with_watched,
    write_report,
)
from sintonia.tasks import NEXT_BEST_ACTION, label_kinds

log = logging.getLogger("sintonia")


def score(settings: ScoreSettings) -> Figures:
    """Return what became of a list's rows, written back with the scores of every task asked for."""
    workspace, path = Path(settings.workspace), Path(settings.list)
    customers = read_list(path)
    store = open_store(workspace)
    located = locate(customers, store, settings.source, settings.key)
    log.info("Rows are known by their column '%s' (%s)", located.column, located.key_type)
    place = registry.tracking(settings.tracking, workspace)
    columns: dict[str, list[str]] = {}
    found, watched = [], {}
    asked = [task for task in settings.tasks if task != NEXT_BEST_ACTION]
    scored = registry.find_models(place, asked) if asked or not settings.tasks else []
    for model, registered in scored:
        as_of = scoring_date(settings.as_of, store, model)
        scores = score_customers(store, model, as_of, settings, located.known())
        columns |= score_columns(located, scores, registered, settings)
        found.append(scores)
        watched[model.task.name] = watched_list(store, scores, settings)
    if NEXT_BEST_ACTION in settings.tasks:
        columns |= action_columns(located, propose(store, proposal(settings), located.known()))
    out = Path(settings.out) if settings.out else path.with_name(f"{path.stem}-scored{path.suffix}")
    write_list(customers, columns, out)
    return with_watched(score_figures(customers, located, found, out), found, watched, settings.force)


def proposal(settings: ScoreSettings) -> DecideSettings:
    """Return the round that a list's next best actions are taken from: as of the list's date, never written."""
    return DecideSettings(
        workspace=settings.workspace,
        engine=settings.engine,
        source=settings.source,
        as_of=settings.as_of,
        decided_at=settings.as_of,
        features=settings.features,
        engagement=settings.engagement,
        tracking=settings.tracking,
    )


def watched_list(store: Store, scores: Scores, settings: ScoreSettings) -> Watched:
    """Return how far a list and its model are from the training, said in the log.

    Raises
    ------
    DriftError
        When a bound of the settings is passed and nobody insists.
    """
    model = scores.model
    drift = drift_of(model, [] if scores.tally is None else [scores.tally])
    newest = store.data_until(label_kinds(model.task))
    watched = watch(model, drift, (scores.as_of, newest), settings.drift)
    for said in (*watched.warnings, *(watched.refusals if settings.force else ())):
        log.warning("%s", said)
    watched.refuse(settings.force)
    return watched


def decide(settings: DecideSettings) -> Figures:
    """Return one action for each customer, with its hour and reasons; or, with `customer`, why it got its own."""
    store = open_store(Path(settings.workspace))
    if settings.customer is not None:
        return told_figures(told_of(store, settings.customer, settings.round))
    decided = decide_round(store, settings)
    return write_report(decide_figures(decided), store.rounds / f"{decided.round.round_id}.json")

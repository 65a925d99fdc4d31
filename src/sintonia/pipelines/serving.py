"""A model on customers: a list scored, a round decided."""

import logging
from pathlib import Path

from sintonia import registry
from sintonia.config import (
    DecideSettings,
    ScoreSettings,
)
from sintonia.decision.decide import decide_round
from sintonia.decision.told import told_of
from sintonia.interactions import open_store
from sintonia.lists import locate, read_list, score_columns, write_list
from sintonia.scoring import score_customers, scoring_date
from sintonia.summaries import (
    Figures,
    decide_figures,
    score_figures,
    told_figures,
    write_report,
)

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
    found = []
    for model, registered in registry.find_models(place, settings.tasks):
        as_of = scoring_date(settings.as_of, store, model)
        scores = score_customers(store, model, as_of, settings, located.known())
        columns |= score_columns(located, scores, registered, settings)
        found.append(scores)
    out = Path(settings.out) if settings.out else path.with_name(f"{path.stem}-scored{path.suffix}")
    write_list(customers, columns, out)
    return score_figures(customers, located, found, out)


def decide(settings: DecideSettings) -> Figures:
    """Return one action for each customer, with its hour and reasons; or, with `customer`, why it got its own."""
    store = open_store(Path(settings.workspace))
    if settings.customer is not None:
        return told_figures(told_of(store, settings.customer, settings.round))
    decided = decide_round(store, settings)
    return write_report(decide_figures(decided), store.rounds / f"{decided.round.round_id}.json")

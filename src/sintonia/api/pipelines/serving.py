"""A model on customers: a list scored, a round decided."""

from contextlib import ExitStack
from functools import partial

from sintonia.api.reports.figures import Figures, write_report
from sintonia.api.reports.serving import decide_figures, score_figures, told_figures, with_watched
from sintonia.core.config import DecideSettings, ScoreSettings
from sintonia.core.engine import connect
from sintonia.data.store import open_store
from sintonia.registry import models as registry
from sintonia.serving.decisions.decide import decide_round, propose
from sintonia.serving.decisions.explain import told_of
from sintonia.serving.lists import TaskModel, open_list, score_list
from sintonia.serving.scoring import scoring_date
from sintonia.training.models import OutcomeModel
from sintonia.training.tasks import task_kind


def score(settings: ScoreSettings) -> Figures:
    """Return what became of a list's rows, written back with the scores of every task asked for."""
    workspace = settings.paths.root
    with ExitStack() as stack:
        customers, settings = open_list(stack, settings)
        store = open_store(workspace)
        place = registry.tracking(settings.tracking, workspace)
        predicted = [task for task in settings.tasks if task_kind(task) == "outcome"]
        models = [
            TaskModel(model, registered, scoring_date(settings.as_of, store, model))
            for model, registered in (
                registry.find_models(place, predicted, OutcomeModel)
                if predicted or not settings.tasks
                else []
            )
        ]
        act = partial(propose, store, proposal(settings)) if len(predicted) < len(settings.tasks) else None
        connection = stack.enter_context(connect(settings.engine, workspace))
        scored = score_list(connection, store, customers, models, settings, act)
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
        return told_figures(told_of(store, settings.customer, settings.round), store.currency)
    decided = decide_round(store, settings)
    return write_report(decide_figures(decided), store.rounds / f"{decided.round.round_id}.json")

"""Training, comparison and promotion, the same for every task."""

from pathlib import Path

from sintonia.api.pipelines.figures import Figures
from sintonia.api.pipelines.reviewing import write_card
from sintonia.api.pipelines.run_figures import compare_figures, promote_figures
from sintonia.api.pipelines.steps_by_task import steps_of
from sintonia.core.config import CompareSettings, PromoteSettings, TrainSettings
from sintonia.core.progress import step
from sintonia.data.store import open_store
from sintonia.explain.sample import write_key
from sintonia.registry import models, promotion
from sintonia.registry.comparison import compare_runs
from sintonia.registry.promotion_checks import Requirement, is_approved
from sintonia.registry.tracking import open_tracking


def train(settings: TrainSettings) -> Figures:
    """Return the evaluation of a task's model on data it was not fitted on; the model is registered."""
    workspace = settings.paths.root
    trained = steps_of(settings.task).train(open_store(workspace), settings)
    with step("Registering the model"):
        tracking = open_tracking(settings.tracking, workspace)
        registered = models.register(tracking, trained.run)
        write_key(trained.explained, settings.paths.sample(registered.run_id))
    return trained.figures(registered)


def compare(settings: CompareSettings) -> Figures:
    """Return a task's runs side by side, with paired differences to one of them."""
    tracking = open_tracking(settings.tracking, settings.paths.root)
    return compare_figures(compare_runs(tracking, settings), settings.source.currency)


def promote(settings: PromoteSettings) -> Figures:
    """Return the requirements that a task's candidate meets, now champion; after a rollback, the champion restored."""
    tracking = open_tracking(settings.tracking, settings.paths.root)
    champion = models.find_by_alias(tracking, settings.task.name, models.CHAMPION)
    name = tracking.name(settings.task.name)
    checks: list[Requirement] = []
    card: Path | None = None
    if settings.rollback:
        entry = promotion.roll_back(tracking, name, champion)
    else:
        candidate = models.find_candidate(tracking, settings.task.name, settings.version)
        required = steps_of(settings.task).promotion_checks(tracking, settings, candidate, champion)
        checks = [*required, is_approved(tracking, candidate)]
        entry = promotion.promote(tracking, candidate, champion, checks, force=settings.force)
        card = write_card(tracking, candidate, settings, checks)
    return promote_figures(name, entry, checks, promotion.champion_history(tracking, name), card)

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


def train(settings: TrainSettings) -> Figures:
    """Return how good a task's model is on what it has not learned from; the model is registered."""
    workspace = settings.paths.root
    trained = steps_of(settings.task).train(open_store(workspace), settings)
    with step("Registering the model"):
        place = models.tracking(settings.tracking, workspace)
        registered = models.register(place, trained.run)
        write_key(trained.explained, settings.paths.sample(registered.run_id))
    return trained.figures(registered)


def compare(settings: CompareSettings) -> Figures:
    """Return a task's runs side by side, with paired differences to one of them."""
    place = models.tracking(settings.tracking, settings.paths.root)
    return compare_figures(compare_runs(place, settings), settings.source.currency)


def promote(settings: PromoteSettings) -> Figures:
    """Return which requirements the task's candidate meets, now champion; or who is champion again."""
    place = models.tracking(settings.tracking, settings.paths.root)
    champion = models.find_alias(place, settings.task.name, models.CHAMPION)
    name = place.name(settings.task.name)
    checks: list[Requirement] = []
    card: Path | None = None
    if settings.rollback:
        entry = promotion.roll_back(place, name, champion)
    else:
        candidate = models.find_candidate(place, settings.task.name, settings.version)
        required = steps_of(settings.task).promotion_checks(place, settings, candidate, champion)
        checks = [*required, is_approved(place, candidate)]
        entry = promotion.promote(place, candidate, champion, checks, force=settings.force)
        card = write_card(place, candidate, settings, checks)
    return promote_figures(name, entry, checks, promotion.history(place, name), card)

"""Histories to registered models, their comparison and promotion: one road for every task."""

from pathlib import Path

from sintonia import promotion, registry
from sintonia.comparison import compare_runs
from sintonia.config import CompareSettings, PromoteSettings, TrainSettings
from sintonia.explained_sample import key_path, write_key
from sintonia.gate import Requirement, is_approved
from sintonia.interactions import open_store
from sintonia.pipelines.cards import write_card
from sintonia.pipelines.kinds import steps_of
from sintonia.progress import step
from sintonia.summaries.figures import Figures
from sintonia.summaries.runs import compare_figures, promote_figures


def train(settings: TrainSettings) -> Figures:
    """Return how good a task's model is on what it has not learned from; the model is registered."""
    workspace = Path(settings.workspace)
    trained = steps_of(settings.task).train(open_store(workspace), settings)
    with step("Registering the model"):
        place = registry.tracking(settings.tracking, workspace)
        registered = registry.register(place, trained.run)
        write_key(trained.explained, key_path(workspace, registered.run_id))
    return trained.figures(registered)


def compare(settings: CompareSettings) -> Figures:
    """Return a task's runs side by side, with paired differences to one of them."""
    place = registry.tracking(settings.tracking, Path(settings.workspace))
    return compare_figures(compare_runs(place, settings))


def promote(settings: PromoteSettings) -> Figures:
    """Return which requirements the task's candidate meets, now champion; or who is champion again."""
    place = registry.tracking(settings.tracking, Path(settings.workspace))
    champion = registry.find_alias(place, settings.task.name, registry.CHAMPION)
    name = place.name(settings.task.name)
    checks: list[Requirement] = []
    card: Path | None = None
    if settings.rollback:
        entry = promotion.roll_back(place, name, champion)
    else:
        candidate = registry.find_candidate(place, settings.task.name, settings.version)
        required = steps_of(settings.task).promotion_checks(place, settings, candidate, champion)
        checks = [*required, is_approved(place, candidate)]
        entry = promotion.promote(place, candidate, champion, checks, force=settings.force)
        card = write_card(place, candidate, settings, checks)
    return promote_figures(name, entry, checks, promotion.history(place, name), card)

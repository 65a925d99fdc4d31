"""The leakage check: features on the user's own data, and columns that may depend on the future."""

from sintonia.api.pipelines.figures import Figures
from sintonia.api.pipelines.steps_by_task import steps_of
from sintonia.core.config import CheckSettings
from sintonia.core.engine import connect
from sintonia.core.progress import step
from sintonia.data.store import open_store
from sintonia.evaluation.leakage import LeakRules, check_invariance, find_leaks
from sintonia.evaluation.leakage.report import leakage_figures


def check(settings: CheckSettings) -> Figures:
    """Return whether a feature changes with what was not yet known, and which columns may depend on the future."""
    workspace = settings.paths.root
    store = open_store(workspace)
    suspects = steps_of(settings.task).suspects(store, settings)
    settings = suspects.settings
    with connect(settings.engine, workspace) as connection:
        invariance = check_invariance(connection, store, suspects.moments, suspects.question, workspace)
        with step("Checking columns for leakage"):
            rules = LeakRules(settings.rows, settings.strong_auc, settings.seed)
            findings = find_leaks(connection, store, suspects.judged, settings.task, rules)
    return leakage_figures(invariance, findings)

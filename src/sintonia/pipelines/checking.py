"""Whether anything peeks: features on the user's own data, and columns that may tell of the future."""

from pathlib import Path

from sintonia.check import LeakRules, find_leaks, prove
from sintonia.check.words import check_figures
from sintonia.config import CheckSettings
from sintonia.engine import connect
from sintonia.interactions import open_store
from sintonia.pipelines.kinds import steps_of
from sintonia.progress import step
from sintonia.summaries.figures import Figures


def check(settings: CheckSettings) -> Figures:
    """Return whether a feature moves with what was not yet known, and which columns may tell of the future."""
    workspace = Path(settings.workspace)
    store = open_store(workspace)
    suspects = steps_of(settings.task).suspects(store, settings)
    settings = suspects.settings
    with connect(settings.engine, workspace) as connection:
        trials = prove(connection, store, suspects.moments, suspects.question, workspace)
        with step("Looking for columns that may leak"):
            rules = LeakRules(settings.rows, settings.strong_auc, settings.seed)
            findings = find_leaks(connection, store, suspects.judged, settings.task, rules)
    return check_figures(trials, findings)

"""What the verbs of a workspace give back: a build, a run, a round; each shows itself well in a notebook."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sintonia.api import pipelines
from sintonia.api.reports.figures import FOR_PEOPLE
from sintonia.core.config import ReviewSettings, TrackingConfig
from sintonia.core.config.compose import compose
from sintonia.explain.sample import CONTRIBUTIONS_FILE, explanation
from sintonia.registry import artifacts, models

if TYPE_CHECKING:
    import pandas as pd
    import shap


class _Result:
    """Figures of a verb, and the lines the command line shows."""

    def __init__(self, figures: Mapping[str, Any]) -> None:
        self.figures = {key: value for key, value in figures.items() if key not in FOR_PEOPLE}
        self._lines: list[str] = list(figures["say"])

    def __str__(self) -> str:
        """Return the lines that the command line shows."""
        return "\n".join(self._lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


class Build(_Result):
    """What became of every silo's rows; `figures` are plain JSON values."""


class Run(_Result):
    """A training: its model's figures, and the evidence that is kept beside it.

    `figures` are plain JSON values, those of `output=json`.
    """

    def __init__(self, workspace: Path, tracking: TrackingConfig, figures: Mapping[str, Any]) -> None:
        super().__init__(figures)
        self._workspace, self._tracking = workspace, tracking
        self.task: str = figures["task"]
        self.name: str = figures["model"]
        self.version: str = figures["version"]
        self.run_id: str = figures["run_id"]

    @property
    def metrics(self) -> dict[str, float]:
        """The model's metrics out of time, by name; their intervals and the baselines' are in `figures`."""
        estimates = self.figures["estimates"]["model"]
        return {
            name: float(of["value"] if isinstance(of, Mapping) else of[0]) for name, of in estimates.items()
        }

    def shap(self) -> "shap.Explanation":
        """Return the contributions to the scores of a sample of the test rows, for shap's plots."""
        place = models.tracking(self._tracking, self._workspace)
        return explanation(artifacts.read_table(place, self.run_id, CONTRIBUTIONS_FILE))

    def page(self) -> Path:
        """Return where the review page of this version is, now written."""
        overrides: dict[str, Any] = {
            "task": self.task,
            "version": self.version,
            "workspace": str(self._workspace),
        }
        if self._tracking.uri is not None:
            overrides["tracking.uri"] = self._tracking.uri
        overrides["tracking.prefix"] = self._tracking.prefix
        figures = pipelines.review(cast(ReviewSettings, compose("review", overrides)))
        return Path(figures["files"][0])

    def __repr__(self) -> str:
        """Return the run's model and version."""
        return f"Run({self.name!r}, version {self.version})"


class Round(_Result):
    """One application of the policy: what each customer gets."""

    def __init__(self, figures: Mapping[str, Any]) -> None:
        super().__init__(figures)
        self.name: str = figures["round"]
        self.counts: dict[str, int] = dict(figures["actions"])

    @property
    def frame(self) -> "pd.DataFrame":
        """The decisions, one row per customer, with the columns of the contract `decisions`."""
        import pandas as pd

        return pd.read_parquet(self.figures["files"][0])

    def __repr__(self) -> str:
        """Return the round's name and how many customers it decides on."""
        return f"Round({self.name!r}, {self.figures['customers']:,} customers)"

"""What the verbs of a workspace give back; each result shows itself well in a notebook."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sintonia.api import pipelines
from sintonia.api.pipelines.figures import FOR_PEOPLE
from sintonia.core.config import ReviewSettings, TrackingConfig
from sintonia.core.config.compose import compose
from sintonia.core.errors import NotBuiltError
from sintonia.explain.sample import CONTRIBUTION, CONTRIBUTIONS_FILE, read_explanation
from sintonia.registry import runs
from sintonia.registry.tracking import open_tracking

if TYPE_CHECKING:
    import pandas as pd
    import shap


class Result:
    """The figures of a verb, plain JSON values, those of `output=json`; as text, the lines of the command line."""

    def __init__(self, figures: Mapping[str, Any]) -> None:
        self.figures = {key: value for key, value in figures.items() if key not in FOR_PEOPLE}
        self._lines: list[str] = list(figures["say"])

    @property
    def files(self) -> list[Path]:
        """The files that were written."""
        return [Path(file) for file in self.figures["files"]]

    def __str__(self) -> str:
        """Return the lines that the command line shows."""
        return "\n".join(self._lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


class Build(Result):
    """What became of every silo's rows."""


class Check(Result):
    """Whether a feature reads the future, and which columns may leak."""

    @property
    def passed(self) -> bool:
        """Whether no feature and no column was found to."""
        return bool(self.figures["passed"])


class Comparison(Result):
    """A task's runs, compared with one of them on the same test rows."""

    @property
    def frame(self) -> "pd.DataFrame":
        """One row per run: `version`, `alias`, `grade`, `rows`, `value` of the metric, `difference`, `verdict`."""
        import pandas as pd

        rows = [
            {**run, **{name: (run[name] or {}).get("value") for name in ("value", "difference")}}
            for run in self.figures["runs"]
        ]
        columns = ["version", "alias", "grade", "rows", "value", "difference", "verdict"]
        return pd.DataFrame(rows, columns=columns)


class Run(Result):
    """A training: its model's figures, and the evidence that its run keeps."""

    def __init__(self, workspace: Path, tracking: TrackingConfig, figures: Mapping[str, Any]) -> None:
        super().__init__(figures)
        self._workspace, self._tracking = workspace, tracking
        self.task: str = figures["task"]
        self.name: str = figures["model"]
        self.version: str = figures["version"]
        self.run_id: str = figures["run_id"]

    @property
    def metrics(self) -> dict[str, float]:
        """The out-of-time metrics by name; their intervals and the baselines' are in `figures`.

        Of a policy they are the values per decision of what it chooses, in units of the reward, and `treated`, the
        share of decisions for which it chooses an action.
        """
        if "policies" in self.figures:
            estimates = self.figures["policies"]["chosen"]
        else:
            estimates = self.figures["estimates"]["model"]
        values = {name: _value(estimate) for name, estimate in estimates.items()}
        return {name: float(value) for name, value in values.items() if value is not None}

    def shap(self) -> "shap.Explanation":
        """Return the contributions to the scores of a sample of the test rows, for shap's plots.

        Raises
        ------
        NotBuiltError
            When the model gives no contributions of its features.
        """
        registry = open_tracking(self._tracking, self._workspace)
        table = runs.read_table(registry, self.run_id, CONTRIBUTIONS_FILE)
        if not any(name.startswith(CONTRIBUTION) for name in table.column_names):
            raise NotBuiltError(
                f"{self.name} version {self.version} gives no contributions of its features, so there is nothing to "
                "plot; train with model=lightgbm, or give your model the method contributions."
            )
        return read_explanation(table)

    def page(self, **settings: Any) -> Path:  # noqa: ANN401
        """Return the path of this version's review page, written now; `settings` are those of `sintonia review`."""
        overrides: dict[str, Any] = {
            "task": self.task,
            "version": self.version,
            "workspace": str(self._workspace),
            "tracking.uri": self._tracking.uri,
            "tracking.prefix": self._tracking.prefix,
            **settings,
        }
        figures = pipelines.run("review", cast(ReviewSettings, compose("review", overrides)))
        return Path(figures["files"][0])

    def __repr__(self) -> str:
        """Return the run's model and version."""
        return f"Run({self.name!r}, version {self.version})"


def _value(estimate: Any) -> Any:  # noqa: ANN401  a number, [value, low, high] or {"value": ...}
    if isinstance(estimate, Mapping):
        return estimate["value"]
    return estimate[0] if isinstance(estimate, list | tuple) else estimate


class Round(Result):
    """One application of the policy: which action each customer gets."""

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

"""A brand's workspace: the verbs of the command line as methods, on data frames."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from sintonia.api import pipelines
from sintonia.api.frames import to_dates, to_native
from sintonia.api.results import Build, Round, Run
from sintonia.core.config import BuildSettings, DecideSettings, FeaturesSettings, ScoreSettings, TrainSettings
from sintonia.core.config.compose import compose
from sintonia.core.errors import InputError, unknown
from sintonia.data.store import open_store
from sintonia.features.from_frames import to_arrow

if TYPE_CHECKING:
    import pandas as pd


class Workspace:
    """The folder of one brand: its store, features, models, scores and rounds.

    Nothing is read or written before a method is called. Every method takes the settings of its verb by keyword, an
    option by its name or its keys as a mapping: ``shop.train("churn", model={"num_leaves": 15}, split="monthly")``.

    Examples
    --------
    >>> Workspace("workspace/shop")
    Workspace('workspace/shop')
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        """Keep where the workspace is; `build` makes it."""
        self.path = Path(path)

    def __repr__(self) -> str:
        """Return how the workspace is written in Python."""
        return f"Workspace('{self.path}')"

    def build(
        self,
        source: str | PathLike[str],
        *,
        frames: Mapping[str, Any] | None = None,
        **settings: Any,  # noqa: ANN401
    ) -> Build:
        """Return what became of every silo's rows, now in the store.

        Parameters
        ----------
        source
            The YAML file of a source, or the name of one that ships.
        frames
            A pandas, Polars or Arrow frame for each silo of the source, in place of its files.

        Raises
        ------
        SintoniaError
            When the source or its files cannot be read, or a frame is missing.
        """
        with ExitStack() as stack:
            overrides = {**settings, "source": source, **self._workspace}
            if frames is not None:
                folder = stack.enter_context(TemporaryDirectory(prefix="sintonia-frames-"))
                silos = cast(BuildSettings, compose("build", overrides)).source.silos
                overrides |= _written(frames, silos, Path(folder))
            return Build(pipelines.build(cast(BuildSettings, compose("build", overrides))))

    def features(
        self,
        as_of: str | date | Sequence[str | date],
        *,
        families: Sequence[str] | None = None,
        **features: Any,  # noqa: ANN401
    ) -> "pd.DataFrame":
        """Return the features of every customer at each as-of date: one row per (customer_id, as_of), in that order.

        Families are fitted at the first as_of. Other keywords are keys of the group `features`, as `windows_days`. Who
        had become part of another customer by as_of has no row.

        Raises
        ------
        SintoniaError
            Without a store, and for an unknown family.
        """
        import pandas as pd

        from sintonia.features import History, columns_read, compute, fit

        chosen = {**features} if families is None else {**features, "families": list(families)}
        settings = cast(FeaturesSettings, compose("features", {"features": chosen, **self._workspace}))
        store, as_ofs = open_store(self.path), to_dates(as_of)
        fitted = fit(settings.features, store, as_ofs[0])
        columns = list(dict.fromkeys([*columns_read(settings.features, fitted), "interaction_id"]))
        parts = []
        for path in store.buckets:
            history = History(
                store.read_bucket(path, columns=columns),
                store.read_beside("attributes", path),
                store.read_beside("links", path),
            )
            threads = settings.engine.threads
            parts.append(compute(history, as_ofs, settings.features, fitted, threads).to_pandas())
        table = pd.concat(parts, ignore_index=True)
        merges = store.read_merges()
        moments = dict(zip(merges["customer_id"].to_pylist(), merges["merged_at"].to_pylist(), strict=True))
        merged_at = pd.to_datetime(pd.Series([moments.get(customer) for customer in table["customer_id"]]))
        table = table[~(merged_at <= table["as_of"])]
        ordered: pd.DataFrame = table.sort_values(["customer_id", "as_of"], ignore_index=True)
        return ordered

    def train(self, task: str = "churn", **settings: Any) -> Run:  # noqa: ANN401
        """Return the run of a task's model: trained, judged out of time and registered as candidate.

        Raises
        ------
        SintoniaError
            Without a store, with too little to learn from, and for an unknown setting.
        """
        options = settings.pop("task_settings", {})
        overrides = {"task": task, **{f"task.{key}": value for key, value in options.items()}}
        chosen = cast(TrainSettings, compose("train", {**self._brand, **overrides, **settings}))
        return Run(self.path, chosen.tracking, pipelines.train(chosen))

    def score(
        self,
        customers: Any,  # noqa: ANN401  any data frame
        *,
        tasks: Sequence[str] = (),
        key: str | None = None,
        **settings: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401  the kind of frame that came in
        """Return the frame with its rows scored, in the kind that came in: the columns of `sintonia score` are added.

        Parameters
        ----------
        customers
            One row per customer, whom one of its columns identifies: a customer id, any silo's key, an e-mail address
            or a telephone number. The index of a pandas frame stays.
        tasks
            Whose models score; empty means every task with a registered model.
        key
            The column that identifies customers; guessed if not given.

        Raises
        ------
        SintoniaError
            Without a model, and where no column identifies customers.
        """
        import pyarrow.parquet as pq

        with TemporaryDirectory(prefix="sintonia-list-") as folder:
            path, out = Path(folder) / "frame.parquet", Path(folder) / "frame-scored.parquet"
            pq.write_table(to_arrow(customers, "customers"), path)
            overrides = {"tasks": list(tasks), "key": key, **settings, "list": path, "out": out}
            pipelines.score(cast(ScoreSettings, compose("score", {**self._brand, **overrides})))
            scored = to_native(pq.read_table(out), customers)
        index = getattr(customers, "index", None)
        return scored if index is None or not hasattr(scored, "set_index") else scored.set_index(index)

    def decide(self, round: str, *, budget: float | None = None, **settings: Any) -> Round:  # noqa: A002, ANN401
        """Return a round of decisions: one action for each customer, with its hour and reasons.

        Parameters
        ----------
        round
            The round's name; a round that is decided again replaces what was planned for it.
        budget
            The most that the round's actions may cost together, in the brand's currency.

        Raises
        ------
        SintoniaError
            Without effects to choose by, and for rules that cannot be kept.
        """
        overrides: dict[str, Any] = {**self._brand, "round": round, **settings}
        if budget is not None:
            overrides["engagement.budget"] = budget
        return Round(pipelines.decide(cast(DecideSettings, compose("decide", overrides))))

    @property
    def _brand(self) -> dict[str, str]:
        """The settings that name the brand of the store, for models are registered under its name."""
        return {**self._workspace, "source.name": open_store(self.path).source}

    @property
    def _workspace(self) -> dict[str, str]:
        return {"workspace": str(self.path)}


def _written(frames: Mapping[str, Any], silos: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the settings by which a source reads these frames, now Parquet files, in place of its own files."""
    import pyarrow.parquet as pq

    for name in frames:
        if name not in silos:
            raise unknown("silo", name, silos)
    missing = [name for name in silos if name not in frames]
    if missing:
        raise InputError(f"frames has no '{missing[0]}'; give a frame for each silo: {', '.join(silos)}.")
    settings: dict[str, Any] = {"source.root": str(folder)}
    for name, frame in frames.items():
        pq.write_table(to_arrow(frame, f"frames['{name}']"), folder / f"{name}.parquet")
        settings |= {f"source.silos.{name}.path": f"{name}.parquet", f"source.silos.{name}.format": "parquet"}
    return settings

"""A brand's workspace: every verb of the command line as a method, on data frames."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields
from datetime import date
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from sintonia.api import pipelines
from sintonia.api.frames import to_dates, to_native
from sintonia.api.pipelines.figures import Figures
from sintonia.api.results import Build, Check, Comparison, Result, Round, Run
from sintonia.core.config import VERBS, BuildSettings, FeaturesSettings, TaskConfig, TrainSettings
from sintonia.core.config.compose import compose
from sintonia.core.errors import InputError, unknown
from sintonia.core.paths import in_home
from sintonia.data.store import open_store
from sintonia.features.from_frames import to_arrow

if TYPE_CHECKING:
    import pandas as pd


class Workspace:
    """The folder of one brand: its store, features, models, scores and rounds.

    Nothing is read or written before a method is called. Every method is a verb of the command line and takes its
    settings by keyword: an option by its name, keys as a mapping, `shop.train("churn", model={"num_leaves": 15},
    split="monthly")`. A key of the task is a keyword too: `shop.train("churn", horizon_days=30)`.

    Examples
    --------
    >>> Workspace("workspace/shop")
    Workspace('workspace/shop')
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        """Keep the folder's path; `build` creates it."""
        self.path = Path(in_home(str(path)))

    def __repr__(self) -> str:
        """Return the workspace as it is written in Python."""
        return f"Workspace('{self.path}')"

    def simulate(self, **settings: Any) -> Result:  # noqa: ANN401
        """Return how many rows each silo of a synthetic brand has, written to this folder for `build("synthetic")`."""
        return Result(self._run("simulate", settings))

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
            overrides = {**settings, "source": source}
            if frames is not None:
                folder = stack.enter_context(TemporaryDirectory(prefix="sintonia-frames-"))
                composed = cast(BuildSettings, compose("build", {**overrides, **self._workspace}))
                overrides |= _written(frames, composed.source.silos, Path(folder))
            return Build(self._run("build", overrides))

    def identity(self, **settings: Any) -> Result:  # noqa: ANN401
        """Return how well records became customers, with a page on it; with `customer`, why records are that customer.

        Raises
        ------
        SintoniaError
            Without a store, and for an unknown customer.
        """
        return Result(self._run("identity", settings))

    def check(self, task: str = "churn", **settings: Any) -> Check:  # noqa: ANN401
        """Return whether a feature reads what was not yet known, and which columns may leak the task's outcome.

        Raises
        ------
        SintoniaError
            Without a store, and for an unknown setting.
        """
        return Check(self._run("check", {**self._brand, **_task("check", task, settings)}))

    def catalogue(self, registered: str | None = None, **features: Any) -> "pd.DataFrame":  # noqa: ANN401
        """Return what each feature means, one row each: `name`, `family`, `definition`, `unit`, `missing`, `why`.

        Parameters
        ----------
        registered
            The task whose registered model's features are described, in place of those of the settings.
        features
            Keys of the group `features`, as `families` and `windows_days`.

        Raises
        ------
        SintoniaError
            Without a store or a registered model, and for an unknown family.
        """
        import pandas as pd

        overrides = {**self._brand, "registered": registered, "features": features}
        return pd.DataFrame(self._run("features", overrides)["features"])

    def features(
        self,
        as_of: str | date | Sequence[str | date],
        *,
        families: Sequence[str] | None = None,
        **features: Any,  # noqa: ANN401
    ) -> "pd.DataFrame":
        """Return the features of every customer at each as-of date: one row per (customer_id, as_of), in that order.

        Families are fitted at the first as_of. Other keywords are keys of the group `features`, as `windows_days`. A
        customer who had become part of another one by as_of has no row.

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
        merged = dict(zip(merges["customer_id"].to_pylist(), merges["merged_at"].to_pylist(), strict=True))
        merged_at = pd.to_datetime(pd.Series([merged.get(customer) for customer in table["customer_id"]]))
        table = table[~(merged_at <= table["as_of"])]
        ordered: pd.DataFrame = table.sort_values(["customer_id", "as_of"], ignore_index=True)
        return ordered

    def train(self, task: str = "churn", **settings: Any) -> Run:  # noqa: ANN401
        """Return the run of a task's model: trained, evaluated out of time and registered as candidate.

        Parameters
        ----------
        task
            The name of a task that ships, or the YAML file of your own.
        settings
            Groups and keys of `sintonia train`, as `model`, `features`, `split`, and keys of the task, as
            `horizon_days`.

        Raises
        ------
        SintoniaError
            Without a store, with too little to learn from, and for an unknown setting.
        """
        overrides = {**self._brand, **_task("train", task, settings)}
        composed = cast(TrainSettings, compose("train", {**overrides, **self._workspace}))
        return Run(self.path, composed.tracking, pipelines.run("train", composed))

    def compare(self, task: str = "churn", **settings: Any) -> Comparison:  # noqa: ANN401
        """Return a task's runs with paired differences to one of them, on the test rows that both predicted.

        Raises
        ------
        SintoniaError
            Without runs to compare.
        """
        return Comparison(self._run("compare", {**self._brand, **_task("compare", task, settings)}))

    def review(self, task: str = "churn", **settings: Any) -> Path:  # noqa: ANN401
        """Return the path of the review page of a task's candidate (or of `version`), written now.

        Raises
        ------
        SintoniaError
            Without a candidate.
        """
        return Path(self._run("review", {**self._brand, **_task("review", task, settings)})["files"][0])

    def approve(self, task: str = "churn", *, reviewer: str, remark: str = "", **settings: Any) -> Result:  # noqa: ANN401
        """Return a reviewer's approval of a task's candidate and its page, recorded in the registry.

        Raises
        ------
        SintoniaError
            Without a candidate, or before it has a page.
        """
        return self._sign("approve", task, reviewer, remark, settings)

    def reject(self, task: str = "churn", *, reviewer: str, remark: str = "", **settings: Any) -> Result:  # noqa: ANN401
        """Return a reviewer's rejection of a task's candidate, recorded in the registry.

        Raises
        ------
        SintoniaError
            Without a candidate, or before it has a page.
        """
        return self._sign("reject", task, reviewer, remark, settings)

    def promote(self, task: str = "churn", **settings: Any) -> Result:  # noqa: ANN401
        """Return which requirements a task's candidate meets; it is champion now. With `rollback`, the one before is.

        Raises
        ------
        SintoniaError
            Without a candidate, and when a requirement is not met, unless `force`.
        """
        return Result(self._run("promote", {**self._brand, **_task("promote", task, settings)}))

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
            self._run("score", {**self._brand, **overrides})
            scored = to_native(pq.read_table(out), customers)
        index = getattr(customers, "index", None)
        return scored if index is None or not hasattr(scored, "set_index") else scored.set_index(index)

    def decide(
        self,
        round: str,  # noqa: A002
        *,
        budget: float | None = None,
        effects_table: Any = None,  # noqa: ANN401  a path or any data frame
        **settings: Any,  # noqa: ANN401
    ) -> Round:
        """Return a round of decisions: one action for each customer, with its hour and reasons.

        Parameters
        ----------
        round
            The round's name; a round that is decided again replaces what was planned for it.
        budget
            The most that the round's actions may cost together, in the brand's currency.
        effects_table
            What each action changes against doing nothing: `customer_id`, `action_id`, `effect`, in a file or a frame;
            if not given, the registered policy predicts it.

        Raises
        ------
        SintoniaError
            Without effects to choose by, and for rules that cannot be kept.
        """
        import pyarrow.parquet as pq

        with ExitStack() as stack:
            overrides = {**self._brand, "round": round, **settings}
            if budget is not None:
                overrides["engagement.budget"] = budget
            if isinstance(effects_table, str | PathLike):
                overrides["effects_table"] = effects_table
            elif effects_table is not None:
                folder = stack.enter_context(TemporaryDirectory(prefix="sintonia-effects-"))
                overrides["effects_table"] = Path(folder) / "frame.parquet"
                pq.write_table(to_arrow(effects_table, "effects_table"), overrides["effects_table"])
            return Round(self._run("decide", overrides))

    def forget(self, customer: str, source: str | PathLike[str], **settings: Any) -> Result:  # noqa: ANN401
        """Return how many rows of a customer were removed from every file of the workspace, for good.

        Parameters
        ----------
        customer
            A customer id, also one from before a merge, or an identifier with its type, as `email:ADDRESS`.
        source
            The source that `build` read: rows of it about the customer are refused from now on.

        Raises
        ------
        SintoniaError
            Without a store, and for an unknown customer.
        """
        return Result(self._run("forget", {**settings, "source": source, "customer": customer}))

    def upgrade(self, **settings: Any) -> Result:  # noqa: ANN401
        """Return what was upgraded, when an older version of sintonia wrote the workspace; again, it changes nothing.

        Raises
        ------
        SintoniaError
            Without a workspace, and when a newer version wrote it.
        """
        return Result(self._run("upgrade", settings))

    def demo(self, **settings: Any) -> Result:  # noqa: ANN401
        """Return every step's figures on the synthetic brand: silos, store, models, a scored list, review pages."""
        return Result(self._run("demo", settings))

    def _sign(self, verb: str, task: str, reviewer: str, remark: str, settings: Mapping[str, Any]) -> Result:
        signature = {"reviewer": reviewer, "remark": remark}
        return Result(self._run(verb, {**self._brand, **signature, **_task(verb, task, settings)}))

    def _run(self, verb: str, overrides: Mapping[str, Any]) -> Figures:
        return pipelines.run(verb, compose(verb, {**overrides, **self._workspace}))

    @property
    def _brand(self) -> dict[str, str]:
        """The settings that name the brand of the store, for models are registered under its name."""
        return {"source.name": open_store(self.path).source}

    @property
    def _workspace(self) -> dict[str, str]:
        return {"workspace": str(self.path)}


def _task(verb: str, task: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overrides of a verb on a task: keywords that only the task has are keys of it."""
    known = {field.name for field in fields(VERBS[verb])}
    of_task = {field.name for field in fields(TaskConfig)} - known
    renamed = {f"task.{key}" if key in of_task else key: value for key, value in settings.items()}
    return {"task": task, **renamed}


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
        pq.write_table(to_arrow(frame, f"frames['{name}']", keep_zones=True), folder / f"{name}.parquet")
        settings |= {f"source.silos.{name}.path": f"{name}.parquet", f"source.silos.{name}.format": "parquet"}
    return settings

"""The proof that features do not peek, on the user's own data: what was not yet known moves no byte of them."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from sintonia import features
from sintonia.core.config import FeaturesConfig, TaskConfig
from sintonia.core.progress import track
from sintonia.data.store import Store
from sintonia.evaluation.leakage.moments import moments_at
from sintonia.evaluation.leakage.perturb import (
    Tables,
    delete_unknown,
    disturb_unknown,
    read_sample,
    rows_unknown,
    write_sample,
)
from sintonia.features import Feature
from sintonia.training.dataset import Dataset, assemble, catalogue_of

CHANGES = ("deleted", "disturbed")


RowsOf = Callable[[Store, Sequence[datetime], Sequence[Feature]], Dataset]
"""How rows with features come about, from a store, as of these dates."""


@dataclass(frozen=True)
class InvarianceQuestion:
    """Which features are proved, for whom, as of when; `rows_of` where no task says who is asked about."""

    features: FeaturesConfig
    task: TaskConfig
    as_ofs: tuple[datetime, ...]
    customers: int = 500
    seed: int = 7
    rows_of: RowsOf | None = None


@dataclass(frozen=True)
class InvarianceTrial:
    """One as-of date and one way to change what was not yet known then.

    `rows_unknown` counts the rows of each table that were not yet known, `rows` and `features` what was compared,
    `moved` the customers of each feature that changed, and `customers_moved` those who became eligible, or ceased to.
    """

    as_of: datetime
    way: str
    unknown: Mapping[str, int]
    rows: int
    features: int
    moved: Mapping[str, int]
    customers_moved: int

    @property
    def passed(self) -> bool:
        """Whether every byte stayed the same."""
        return not self.moved and not self.customers_moved


def choose_dates(moments: pa.Table, dates: int) -> tuple[datetime, ...]:
    """Return up to `dates` as-of dates, spread evenly over the moments from the first to the last."""
    ordered = np.sort(moments["as_of"].to_numpy())
    indices = np.linspace(0, len(ordered) - 1, dates).astype(int)
    return tuple(np.unique(ordered[indices]).astype("datetime64[us]").tolist())


def check_invariance(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    moments: pa.Table,
    question: InvarianceQuestion,
    scratch: Path,
) -> list[InvarianceTrial]:
    """Return for each date and way what moved, through the road that training takes: `training_set.assemble`.

    Customers are drawn from the moments (`customer_id`, `as_of`) of the question's dates. Their part of the store is
    written into `scratch`, as it is and changed, and the features as of each date are compared byte by byte; the
    unchanged ones are computed with all dates at once, the changed ones date by date. What features take from the
    past of all customers is fitted as of the first date, on the unchanged and on the changed store alike.
    """
    chosen = _draw_customers(store, moments, question)
    tables = read_sample(store, chosen)
    trials = []
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        unchanged = write_sample(connection, store, Path(folder) / "whole", tables)
        before = _feature_rows(unchanged, question, question.as_ofs)
        pairs = [(as_of, perturbation) for as_of in question.as_ofs for perturbation in CHANGES]
        for number, (as_of, perturbation) in enumerate(track(pairs, "Perturbing data not yet known")):
            changed = (
                delete_unknown(tables, as_of)
                if perturbation == "deleted"
                else disturb_unknown(tables, as_of, question.seed + number)
            )
            changed_store = write_sample(
                connection, store, Path(folder) / f"{perturbation}-{number}", changed
            )
            after = _feature_rows(changed_store, question, [as_of])
            trials.append(_compare(before.at([as_of]), after, as_of, perturbation, tables))
    return trials


def _feature_rows(store: Store, question: InvarianceQuestion, as_ofs: Sequence[datetime]) -> Dataset:
    fitted = features.fit(question.features, store, question.as_ofs[0])
    if question.rows_of is not None:
        return question.rows_of(store, as_ofs, features.catalogue(question.features, fitted))
    return assemble(store, as_ofs, catalogue_of(question.task, question.features, fitted), question.task)


def _draw_customers(store: Store, moments: pa.Table, question: InvarianceQuestion) -> list[str]:
    """Return customers of the question's dates, up to half of them such as are tied to others at some time."""
    ids = np.array(sorted(set(moments_at(moments, question.as_ofs)["customer_id"].to_pylist())), object)
    merges = store.read_merges()
    tied = {*merges["customer_id"].to_pylist(), *merges["merged_into"].to_pylist()}
    drawn: list[str] = np.random.default_rng(question.seed).permutation(ids).tolist()
    first = [customer for customer in drawn if customer in tied][: question.customers // 2]
    return list(dict.fromkeys([*first, *drawn]))[: question.customers]


def _compare(
    before: Dataset, after: Dataset, as_of: datetime, perturbation: str, tables: Tables
) -> InvarianceTrial:
    before_ids, after_ids = before.customer_id.tolist(), after.customer_id.tolist()
    shared = sorted(set(before_ids) & set(after_ids))
    names = [name for name in before.names if name in after.names]
    before_bits, after_bits = (
        rows.select(names).values[np.isin(rows.customer_id.astype(str), shared)].view(np.uint32)
        for rows in (before, after)
    )
    counts = np.count_nonzero(before_bits != after_bits, axis=0)
    moved = {name: int(count) for name, count in zip(names, counts, strict=True) if count}
    # A feature that is there or not, by what was not yet known, has moved for everybody.
    moved |= {name: len(before_ids) for name in (*before.names, *after.names) if name not in names}
    return InvarianceTrial(
        as_of=as_of,
        way=perturbation,
        unknown={
            name: int(np.count_nonzero(rows_unknown(name, table, as_of))) for name, table in tables.items()
        },
        rows=len(before_ids),
        features=len(before.names),
        moved=moved,
        customers_moved=len(set(before_ids) ^ set(after_ids)),
    )

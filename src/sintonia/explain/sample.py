"""The rows whose scores are explained: numbered, with values and contributions, and never with a customer's id.

The table goes beside the run. Who stands behind a number is told by a key file in the workspace alone, which an
erasure cleans like any other: access to the evidence on a person ends with it, and no page changes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.explain.contributions import Contributions, model_contributions, shap_explanation
from sintonia.training.dataset import Dataset

if TYPE_CHECKING:
    import shap

    from sintonia.training.models import OutcomeModel

CONTRIBUTIONS_FILE = "contributions.parquet"
EXPLAINED_ROWS = 2000
VALUE, CONTRIBUTION = "value.", "contribution."


@dataclass(frozen=True)
class ExplainedSample:
    """Rows in the order of their sample numbers, which begin at 1; `index` (n,) says where each was drawn from.

    `outcome` (n,) is the propensity or expected cents, `raw` (n,) the score that contributions and base add up to.
    `contributions` is None of a model that gives no contributions.
    """

    rows: Dataset
    index: NDArray[np.int64]
    outcome: Floats
    raw: Floats
    contributions: Contributions | None

    def __len__(self) -> int:
        return len(self.index)


def draw_sample(
    model: "OutcomeModel", rows: Dataset, seed: int, at_most: int = EXPLAINED_ROWS
) -> ExplainedSample:
    """Return at most so many of the rows, drawn and numbered at random, with the contributions to their scores."""
    index = np.random.default_rng(seed).permutation(len(rows))[:at_most]
    drawn = rows.take(index)
    return ExplainedSample(
        rows=drawn,
        index=index,
        outcome=model.outcomes(drawn.values),
        raw=model.raw_scores(drawn.values),
        contributions=model_contributions(model, drawn.values),
    )


def sample_table(sample: ExplainedSample) -> pa.Table:
    """Return one row a sample number: as_of, category (-1 without), label, outcome, raw_score, base, and two a feature.

    `value.NAME` is what the model read, `contribution.NAME` how far that moved the raw score: there is none, and no
    base, of a model that gives no contributions.
    """
    rows, parts = sample.rows, sample.contributions
    category = np.full(len(sample), -1, np.int16) if rows.category is None else rows.category
    return pa.table(
        {
            "sample": np.arange(1, len(sample) + 1),
            "as_of": pa.array(rows.as_of, pa.timestamp("us")),
            "category": category,
            "label": rows.label,
            "outcome": sample.outcome,
            "raw_score": sample.raw,
            "base": np.full(len(sample), np.nan if parts is None else parts.base),
            **{f"{VALUE}{name}": rows.values[:, column] for column, name in enumerate(rows.names)},
            **({} if parts is None else _contribution_columns(parts)),
        }
    )


def _contribution_columns(parts: Contributions) -> dict[str, Floats]:
    return {f"{CONTRIBUTION}{name}": parts.values[:, column] for column, name in enumerate(parts.names)}


def read_explanation(table: pa.Table) -> "shap.Explanation":
    """Return the table's contributions as a `shap.Explanation`, for the plots of a notebook."""
    names = [name.removeprefix(CONTRIBUTION) for name in table.column_names if name.startswith(CONTRIBUTION)]
    moved, values = (
        np.column_stack([table[prefix + name].to_numpy() for name in names])
        for prefix in (CONTRIBUTION, VALUE)
    )
    explained = shap_explanation(Contributions(tuple(names), moved, 0.0), values)
    explained.base_values = table["base"].to_numpy()
    return explained


def write_key(rows: Dataset, path: Path) -> None:
    """Write who stands behind each sample number: `sample`, `customer_id`; for the workspace, not for the run.

    The rows are in the order of their sample numbers.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = pa.array(rows.customer_id.tolist(), pa.string())
    pq.write_table(pa.table({"sample": np.arange(1, len(rows) + 1), "customer_id": ids}), path)

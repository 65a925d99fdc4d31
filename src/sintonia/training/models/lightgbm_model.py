"""LightGBM models: trees as LightGBM's own text, and the exact forest engine that scores and explains with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.core.errors import InputError
from sintonia.training import forest
from sintonia.training.forest import ROWS_TO_EXPLAIN, ROWS_TO_SCORE, Forest, fastest_engine, predict_raw
from sintonia.training.models.outcome_model import OutcomeModel, shared_fields
from sintonia.training.models.protocol import Floats32, read_document, write_document

if TYPE_CHECKING:
    import lightgbm

TREES, MEDIAN = "model.txt", "median.txt"


@dataclass(frozen=True, kw_only=True)
class LightGBMModel(OutcomeModel):
    """LightGBM's trees, as its own text.

    An amount has a second forest, of the square root of the median; `median_trees` is empty for a propensity.
    """

    trees: str
    median_trees: str = ""

    KIND = "lightgbm"

    @cached_property
    def booster(self) -> "lightgbm.Booster":
        """The trees, loaded."""
        import lightgbm

        return lightgbm.Booster(model_str=self.trees)

    @cached_property
    def median_booster(self) -> "lightgbm.Booster":
        """The trees of an amount's median, loaded."""
        import lightgbm

        return lightgbm.Booster(model_str=self.median_trees)

    @cached_property
    def forest(self) -> "Forest | lightgbm.Booster":
        """What scores many rows: the same scores as the trees', to the last bit."""
        return fastest_engine(self.booster, ROWS_TO_SCORE)

    @cached_property
    def median_forest(self) -> "Forest | lightgbm.Booster":
        """What gives many rows their medians."""
        return fastest_engine(self.median_booster, ROWS_TO_SCORE)

    @cached_property
    def explainer(self) -> "Forest | lightgbm.Booster":
        """What gives contributions: one engine for every list, for two differ in the last bits, and chunks must not."""
        return fastest_engine(self.booster, ROWS_TO_EXPLAIN, explain=True)

    @property
    def gives_contributions(self) -> bool:
        """True: LightGBM computes exact SHAP contributions."""
        return True

    @cached_property
    def names_used(self) -> tuple[str, ...]:
        """The features that some tree splits on, in the order of `names`: scores depend on no other.

        Trees never look at the columns of the others, which may hold anything.
        """
        used: set[int] = set()
        for line in f"{self.trees}\n{self.median_trees}".splitlines():
            key, _, columns = line.partition("=")
            if key == "split_feature":
                used.update(map(int, columns.split()))
        return tuple(name for at, name in enumerate(self.names) if at in used)

    def raw_scores(self, values: NDArray[np.float32], listed: int = 0) -> Floats:
        """Return log-odds, or log amounts, before calibration.  # (n_rows, n_features) to (n_rows,)

        `listed` is how many rows there are in all where these are but some of them: speed and nothing else.
        """
        if not len(values):
            return np.empty(0)
        many = max(len(values), listed) >= ROWS_TO_SCORE
        return np.asarray(predict_raw(self.forest if many else self.booster, values), np.float64)

    def contributions(self, values: Floats32) -> Floats:
        """Return SHAP contributions, exact, with their base last.  # (n_rows, n_features + 1)"""
        engine = fastest_engine(self.booster, len(values), explain=True)
        if not isinstance(engine, Forest):
            return np.asarray(self.booster.predict(values, pred_contrib=True), np.float64)
        base = np.full(len(values), engine.expected_value)
        return np.column_stack([forest.contributions(engine, values), base])

    def leading_groups(
        self, values: Floats32, groups: Sequence[int] | NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int32], Floats]:
        """Return the features that lead the k groups that moved each row most, and the groups' contributions."""
        return forest.top_groups(self.explainer, values, groups, k)

    def median_cents(self, values: NDArray[np.float32], listed: int = 0) -> Floats:
        """Return the amount that one half of such customers exceed: the prediction of least absolute error."""
        if not len(values):
            return np.empty(0)
        many = max(len(values), listed) >= ROWS_TO_SCORE
        roots = predict_raw(self.median_forest if many else self.median_booster, values)
        return np.maximum(np.asarray(roots, np.float64), 0.0) ** 2

    def save(self, folder: Path) -> None:
        """Write `model.txt` and, of an amount, `median.txt` (LightGBM's text), and `model.json` into the folder.

        Beside them `reference.json`, where there is one.
        """
        write_document(folder, self.KIND, self.document())
        (folder / TREES).write_text(self.trees, encoding="utf-8")
        if self.median_trees:
            (folder / MEDIAN).write_text(self.median_trees, encoding="utf-8")
        self.write_profile(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote.

        Raises
        ------
        InputError
            When the folder holds no such model.
        UnsupportedModelError
            When another version of sintonia wrote it.
        """
        document = read_document(folder, [cls.KIND])
        if not (folder / TREES).is_file():
            raise InputError(f"No model in '{folder}'; it should hold {TREES} and model.json.")
        return cls(
            **shared_fields(document, folder),
            trees=(folder / TREES).read_text(encoding="utf-8"),
            median_trees=(folder / MEDIAN).read_text(encoding="utf-8") if (folder / MEDIAN).is_file() else "",
        )

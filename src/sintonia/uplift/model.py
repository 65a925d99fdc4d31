"""A learned policy on disk: trees as LightGBM's text, everything else as JSON, nothing pickled."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Bools, Floats, Floats32
from sintonia.core.config import EffectsConfig, FeaturesConfig, TaskConfig
from sintonia.core.config.convert import from_plain
from sintonia.core.config.earlier import effects_settings
from sintonia.features import Feature, Fitted, History, catalogue, compute_features
from sintonia.training.dataset import Dataset
from sintonia.training.models.protocol import read_document, write_document
from sintonia.training.profile import TrainingProfile
from sintonia.training.tasks import NEXT_BEST_ACTION
from sintonia.uplift.effects import EffectEnsemble, Effects
from sintonia.uplift.forests import OutcomeTrees
from sintonia.uplift.logged import Actions
from sintonia.uplift.policies import gains
from sintonia.uplift.slopes import LinearEffects
from sintonia.uplift.study import policy_probabilities

SLOPE_FIELDS = ("columns", "center", "spread", "coefficients")
ARRAY_FIELDS = ("constants", "means", "weights")


@dataclass(frozen=True)
class PolicyModel:
    """A policy as it is registered: the effects, whether they passed the gate, and what they read.

    `constant_action` is the best constant action's; `observational` says that logging propensities were estimated.
    """

    effects: Effects
    passed: bool
    constant_action: int
    config: EffectsConfig
    features: FeaturesConfig
    fitted: Fitted
    names: tuple[str, ...]
    source: str
    fingerprint: str
    observational: bool
    task: TaskConfig = field(default_factory=lambda: TaskConfig(name=NEXT_BEST_ACTION))
    profile: TrainingProfile | None = None

    KIND = "policy"

    @property
    def own_code(self) -> str:
        """No code but ours."""
        return ""

    @cached_property
    def names_used(self) -> tuple[str, ...]:
        """The features that any of its forests splits on, or any of its slopes is of."""
        used: set[int] = set()
        for ensemble in (self.effects.full, *self.effects.without_fold):
            used |= set(ensemble.linear.columns.tolist())
            for forest in (ensemble.outcome, ensemble.second):
                if forest.trees is not None:
                    used |= set(np.flatnonzero(forest.booster.feature_importance("split")).tolist())
        return tuple(name for index, name in enumerate(self.names) if index in used)

    @cached_property
    def catalogue(self) -> tuple[Feature, ...]:
        """The features it reads, as they are made now."""
        return tuple(catalogue(self.features, self.fitted))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The columns MLflow's users get: the gain of each action, in currency or whatever the reward counts."""
        return tuple(f"gain_{name}" for name in self.effects.actions.names)

    def predict(self, values: Floats32) -> Floats:
        """Return the gain of each action: its effect in worth, less its cost.  # (n, n_actions)"""
        if not len(values):
            return np.empty((0, len(self.outputs)))
        return gains(self.effects.predict(values), self.effects.actions)

    def contributions(self, values: Floats32) -> None:
        """Return nothing: it has a score an action; `review.effects.moved_by` takes one action's effects apart."""

    def rows_at(self, history: History, as_of: datetime) -> Dataset:
        """Return a row for each customer of the histories: a decision can be taken for everybody."""
        computed = compute_features(history, [as_of], self.catalogue)
        return Dataset(
            customer_id=np.array(computed["customer_id"].cast(pa.string()).to_pylist(), object),
            as_of=computed["as_of"].to_numpy().astype("datetime64[us]"),
            values=np.column_stack([computed[name].to_numpy() for name in self.names]),
            label=np.zeros(len(computed), np.int8),
            names=self.names,
        )

    def policy(self, values: Floats32, eligible: Bools, seed: int = 7) -> Floats:
        """Return the policy that was chosen, for these decisions.  # (n, n_actions)"""
        return policy_probabilities(
            self.effects,
            self.constant_action if not self.passed else None,
            values,
            eligible,
            self.config,
            seed,
        )

    def save(self, folder: Path) -> None:
        """Write `model.json` and one text for each forest into the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        effects, actions = self.effects, self.effects.actions
        ensembles = [effects.full, *effects.without_fold]
        document = {
            "task": asdict(self.task),
            "passed": self.passed,
            "place": self.constant_action,
            "observational": self.observational,
            "config": asdict(self.config),
            "features": asdict(self.features),
            "fitted": self.fitted.as_plain(),
            "names": list(self.names),
            "source": self.source,
            "fingerprint": self.fingerprint,
            "actions": {
                "names": list(actions.names),
                "costs": actions.costs.tolist(),
                "attributes": actions.attributes.tolist(),
                "attribute_names": list(actions.attribute_names),
            },
            "errors": [float(error) if np.isfinite(error) else None for error in effects.errors],
            "mixing": effects.mixing.tolist(),
            "unexplained": effects.unexplained.tolist(),
            "opinions": [
                _save_ensemble(ensemble, folder, number) for number, ensemble in enumerate(ensembles)
            ],
        }
        write_document(folder, self.KIND, document)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the policy that `save` wrote.

        Raises
        ------
        InputError
            When the folder holds none.
        UnsupportedModelError
            When another version of sintonia wrote it, or it holds another model.
        """
        document = read_document(folder, [cls.KIND])
        actions = document["actions"]
        full, *without_fold = [_load_ensemble(member, folder) for member in document["opinions"]]
        shape = (len(actions["names"]), len(actions["attribute_names"]))
        effects = Effects(
            full=full,
            without_fold=tuple(without_fold),
            actions=Actions(
                tuple(actions["names"]),
                np.array(actions["costs"], np.float64),
                np.array(actions["attributes"], np.float64).reshape(shape),
                tuple(actions["attribute_names"]),
            ),
            errors=np.array([np.inf if error is None else error for error in document["errors"]]),
            mixing=np.array(document["mixing"], np.float64),
            unexplained=np.array(document["unexplained"], np.float64),
        )
        return cls(
            effects=effects,
            passed=document["passed"],
            constant_action=document["place"],
            config=from_plain(EffectsConfig, effects_settings({"effects": document["config"]}), "effects"),
            features=from_plain(FeaturesConfig, document["features"], "features"),
            fitted=Fitted.from_plain(document["fitted"]),
            names=tuple(document["names"]),
            source=document["source"],
            fingerprint=document["fingerprint"],
            observational=document["observational"],
            task=from_plain(TaskConfig, document["task"], "task")
            if "task" in document
            else TaskConfig(name=NEXT_BEST_ACTION),
        )


def _save_ensemble(ensemble: EffectEnsemble, folder: Path, number: int) -> dict[str, Any]:
    """Write an ensemble's forests; return its other values as JSON, with the names of their files."""
    files = {}
    for name in ("outcome", "second"):
        forest: OutcomeTrees = getattr(ensemble, name)
        files[name] = None if forest.trees is None else f"{name}-{number}.txt"
        if forest.trees is not None:
            (folder / f"{name}-{number}.txt").write_text(forest.trees, encoding="utf-8")
    numbers = {name: getattr(ensemble, name).tolist() for name in ARRAY_FIELDS}
    slopes = {name: getattr(ensemble.linear, name).tolist() for name in SLOPE_FIELDS}
    return {**files, **numbers, "linear": slopes, "floor": ensemble.floor}


def _load_ensemble(document: dict[str, Any], folder: Path) -> EffectEnsemble:
    outcome, second = (
        OutcomeTrees(
            None if document[name] is None else (folder / document[name]).read_text(encoding="utf-8")
        )
        for name in ("outcome", "second")
    )
    numbers = {name: np.array(document[name], np.float64) for name in ARRAY_FIELDS}
    slopes = document["linear"]
    center, spread, coefficients = (np.array(slopes[name], np.float64) for name in SLOPE_FIELDS[1:])
    linear = LinearEffects(np.array(slopes["columns"], np.int64), center, spread, coefficients)
    return EffectEnsemble(outcome, linear, second, floor=document["floor"], **numbers)

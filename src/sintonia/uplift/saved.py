"""A learned policy on disk: trees as LightGBM's text, everything else as JSON, nothing pickled."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sintonia.config import EffectsConfig, FeaturesConfig
from sintonia.config.convert import convert
from sintonia.config.earlier import effects_settings
from sintonia.errors import InputError, UnsupportedModelError
from sintonia.features import Feature, Fitted, catalogue
from sintonia.uplift.effects import Effects
from sintonia.uplift.growing import Forest
from sintonia.uplift.linear import Linear
from sintonia.uplift.log import Actions, Bools, Floats, Floats32
from sintonia.uplift.opinions import Opinion
from sintonia.uplift.policies import gains
from sintonia.uplift.study import chosen

FORMAT = 2
FILE = "policy.json"
SLOPES = ("columns", "center", "spread", "coefficients")
NUMBERS = ("constants", "means", "weights")


@dataclass(frozen=True)
class PolicyModel:
    """A policy as it is registered: the effects, whether they passed the gate, and what they read.

    `place` is the best constant action's; `observational` says that logging propensities were estimated.
    """

    effects: Effects
    passed: bool
    place: int
    config: EffectsConfig
    features: FeaturesConfig
    fitted: Fitted
    names: tuple[str, ...]
    source: str
    fingerprint: str
    observational: bool

    @cached_property
    def catalogue(self) -> tuple[Feature, ...]:
        """The features it reads, as they are made now."""
        return tuple(catalogue(self.features, self.fitted))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The columns MLflow's users get: the gain of each action, in euros or in whatever the reward counts."""
        return tuple(f"gain_{name}" for name in self.effects.actions.names)

    def predict(self, values: Floats32) -> Floats:
        """Return the gain of each action: its effect in worth, less its cost.  # (n, n_actions)"""
        return gains(self.effects.predict(values), self.effects.actions)

    def policy(self, values: Floats32, eligible: Bools, seed: int = 7) -> Floats:
        """Return the policy that was chosen, for these decisions.  # (n, n_actions)"""
        return chosen(
            self.effects, self.place if not self.passed else None, values, eligible, self.config, seed
        )

    def save(self, folder: Path) -> None:
        """Write `policy.json` and one text for each forest into the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        effects, actions = self.effects, self.effects.actions
        opinions = [effects.whole, *effects.without]
        told = {
            "format": FORMAT,
            "passed": self.passed,
            "place": self.place,
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
            "opinions": [_told(opinion, folder, number) for number, opinion in enumerate(opinions)],
        }
        (folder / FILE).write_text(json.dumps(told, indent=1, sort_keys=True), encoding="utf-8")


def load_policy(folder: Path) -> PolicyModel:
    """Return the policy that `PolicyModel.save` wrote.

    Raises
    ------
    InputError
        When the folder holds no policy.
    UnsupportedModelError
        When another version of sintonia wrote it.
    """
    if not (folder / FILE).is_file():
        raise InputError(f"No policy in '{folder}'; it should hold {FILE}.")
    told: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    if told["format"] != FORMAT:
        raise UnsupportedModelError(
            f"The policy in '{folder}' has format {told['format']}; this version reads {FORMAT}. Train it again."
        )
    actions = told["actions"]
    whole, *without = [_opinion(one, folder) for one in told["opinions"]]
    shape = (len(actions["names"]), len(actions["attribute_names"]))
    effects = Effects(
        whole=whole,
        without=tuple(without),
        actions=Actions(
            tuple(actions["names"]),
            np.array(actions["costs"], np.float64),
            np.array(actions["attributes"], np.float64).reshape(shape),
            tuple(actions["attribute_names"]),
        ),
        errors=np.array([np.inf if error is None else error for error in told["errors"]]),
        mixing=np.array(told["mixing"], np.float64),
        unexplained=np.array(told["unexplained"], np.float64),
    )
    return PolicyModel(
        effects=effects,
        passed=told["passed"],
        place=told["place"],
        config=convert(EffectsConfig, effects_settings({"effects": told["config"]}), "effects"),
        features=convert(FeaturesConfig, told["features"], "features"),
        fitted=Fitted.from_plain(told["fitted"]),
        names=tuple(told["names"]),
        source=told["source"],
        fingerprint=told["fingerprint"],
        observational=told["observational"],
    )


def _told(opinion: Opinion, folder: Path, number: int) -> dict[str, Any]:
    """Write an opinion's forests; return the rest of it as JSON values, with the names of their files."""
    files = {}
    for name in ("outcome", "second"):
        forest: Forest = getattr(opinion, name)
        files[name] = None if forest.trees is None else f"{name}-{number}.txt"
        if forest.trees is not None:
            (folder / f"{name}-{number}.txt").write_text(forest.trees, encoding="utf-8")
    numbers = {name: getattr(opinion, name).tolist() for name in NUMBERS}
    slopes = {name: getattr(opinion.linear, name).tolist() for name in SLOPES}
    return {**files, **numbers, "linear": slopes, "floor": opinion.floor}


def _opinion(told: dict[str, Any], folder: Path) -> Opinion:
    outcome, second = (
        Forest(None if told[name] is None else (folder / told[name]).read_text(encoding="utf-8"))
        for name in ("outcome", "second")
    )
    numbers = {name: np.array(told[name], np.float64) for name in NUMBERS}
    slopes = told["linear"]
    center, spread, coefficients = (np.array(slopes[name], np.float64) for name in SLOPES[1:])
    linear = Linear(np.array(slopes["columns"], np.int64), center, spread, coefficients)
    return Opinion(outcome, linear, second, floor=told["floor"], **numbers)

"""sintonia: from every interaction to the next best action.

``import sintonia as sn`` is light: each name of the door loads what it needs when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "EffectLearner",
    "ForestExplainer",
    "SintoniaError",
    "Workspace",
    "__version__",
    "clv",
    "compute_features",
    "policy_value",
]

if TYPE_CHECKING:
    from sintonia.api import clv
    from sintonia.api.effects import EffectLearner
    from sintonia.api.features import compute_features
    from sintonia.api.forest import ForestExplainer
    from sintonia.api.policies import policy_value
    from sintonia.api.workspace import Workspace
    from sintonia.core.errors import SintoniaError

_MODULES = {
    "EffectLearner": "sintonia.api.effects",
    "ForestExplainer": "sintonia.api.forest",
    "SintoniaError": "sintonia.core.errors",
    "Workspace": "sintonia.api.workspace",
    "compute_features": "sintonia.api.features",
    "policy_value": "sintonia.api.policies",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  a class, a function or a module
    """Return a name of the door, its module imported on first use."""
    if name == "clv":
        return import_module("sintonia.api.clv")
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'sintonia' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the names of the door."""
    return sorted(__all__)

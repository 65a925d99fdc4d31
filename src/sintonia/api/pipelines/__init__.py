"""The verbs' work, about ten lines each: settings in, figures out.

Every function returns `Figures`, plain JSON values, with the lines for people under the key `say`. `run` is the one way
to them, for the command line and for `Workspace` alike.
"""

from collections.abc import Callable
from typing import Any

from sintonia.api.pipelines.building import build, features, forget, identity, simulate
from sintonia.api.pipelines.checking import check
from sintonia.api.pipelines.demonstration import demo
from sintonia.api.pipelines.figures import Figures
from sintonia.api.pipelines.reviewing import approve, reject, review
from sintonia.api.pipelines.serving import decide, score
from sintonia.api.pipelines.training import compare, promote, train
from sintonia.api.pipelines.upgrading import upgrade
from sintonia.core.config import Settings

__all__ = [
    "PIPELINES",
    "approve",
    "build",
    "check",
    "compare",
    "decide",
    "demo",
    "features",
    "forget",
    "identity",
    "promote",
    "reject",
    "review",
    "run",
    "score",
    "simulate",
    "train",
    "upgrade",
]

PIPELINES: dict[str, Callable[[Any], Figures]] = {
    "simulate": simulate,
    "build": build,
    "identity": identity,
    "check": check,
    "features": features,
    "train": train,
    "compare": compare,
    "approve": approve,
    "reject": reject,
    "promote": promote,
    "score": score,
    "decide": decide,
    "review": review,
    "forget": forget,
    "upgrade": upgrade,
    "demo": demo,
}
"""The function of each verb of `sintonia.core.config.VERBS`, whose settings it takes."""


def run(verb: str, settings: Settings) -> Figures:
    """Return the figures of a verb with these settings."""
    return PIPELINES[verb](settings)

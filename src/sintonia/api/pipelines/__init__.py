"""The verbs' work, about ten lines each: settings in, figures out.

Every function returns `Figures`, plain JSON values, with the lines for people under the key `say`.
"""

from sintonia.api.pipelines.building import build, features, forget, identity, simulate, upgrade
from sintonia.api.pipelines.checking import check
from sintonia.api.pipelines.demonstration import demo
from sintonia.api.pipelines.reviewing import approve, reject, review
from sintonia.api.pipelines.serving import decide, score
from sintonia.api.pipelines.training import compare, promote, train

__all__ = [
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
    "score",
    "simulate",
    "train",
    "upgrade",
]

"""Short hashes of the code and the settings of a run: equal for runs that differ in neither."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path

from sintonia.core.config import TrainSettings

WHERE = ("workspace", "output", "engine", "tracking")
"""Settings that say where and how fast a run works, not what comes out."""


def short_hash(texts: Iterable[str]) -> str:
    """Return 12 hexadecimal digits that stand for these texts in this order.

    Examples
    --------
    >>> short_hash(["ab", "c"]) == short_hash(["a", "bc"])
    False
    """
    return hashlib.sha256(json.dumps([*texts]).encode()).hexdigest()[:12]


@cache
def code_hash(own: str = "") -> str:
    """Return a hash of the package's own source: it changes with every edit, where a version or commit may not.

    `own` is the text of a user's file that took part, "" where none did.
    """
    package = Path(__file__).resolve().parents[1]
    files = sorted(package.rglob("*.py"))
    texts = [f"{path.relative_to(package)} {path.read_text(encoding='utf-8')}" for path in files]
    return short_hash([*texts, own] if own else texts)


def config_hash(settings: TrainSettings) -> str:
    """Return a hash of the settings that decide what comes out: the same on another machine or in another folder."""
    resolved = {name: value for name, value in asdict(settings).items() if name not in WHERE}
    resolved["source"] = settings.source.name
    return short_hash([json.dumps(resolved, sort_keys=True)])

"""Names of metrics and parameters as MLflow takes them: any action or model may be behind one, and none is lost.

MLflow refuses most punctuation, names that a file system would resolve to another one, and more than 250 characters.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from posixpath import normpath

MAX_CHARACTERS = 250
DIGEST_CHARACTERS = 16

_REFUSED = re.compile(r"[^/\w.\- :]|_(?=x[0-9a-f]+_)")
"""What is spelt by its code point: characters that MLflow refuses, and the start of what looks spelt already."""

_SPELT = re.compile(r"_x([0-9a-f]+)_")


def tracked_name(name: str) -> str:
    """Return the name as MLflow takes it: a name that is valid as it is, and others with code points, one to one.

    A name that is still longer than `MAX_CHARACTERS` is cut and ends in a digest of all of it.

    Examples
    --------
    >>> tracked_name("always_mail.doubly_robust"), tracked_name("50% off"), tracked_name("../mail")
    ('always_mail.doubly_robust', '50_x25_ off', '_x2e_._x2f_mail')
    """
    spelt = _REFUSED.sub(lambda match: _code(match[0]), name)
    if normpath(spelt) != spelt or spelt == "." or spelt.startswith(("..", "/")):
        spelt = re.sub(r"/|^\.", lambda match: _code(match[0]), spelt)
    if len(spelt) <= MAX_CHARACTERS:
        return spelt
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]
    return f"{spelt[: MAX_CHARACTERS - DIGEST_CHARACTERS - 1]}-{digest}"


def original_name(tracked: str) -> str:
    """Return the name behind one that `tracked_name` returned; one that was cut stays cut.

    Examples
    --------
    >>> original_name("50_x25_ off")
    '50% off'
    """
    return _SPELT.sub(lambda match: chr(int(match[1], 16)), tracked)


def metric_keys(names: Iterable[str]) -> dict[str, str]:
    """Return each name as a metric's: with underscores for its spaces, unless two names would become one.

    Examples
    --------
    >>> metric_keys(["best baseline", "free post", "free_post"])
    {'best baseline': 'best_baseline', 'free post': 'free post', 'free_post': 'free_post'}
    """
    keys = {name: name.replace(" ", "_") for name in names}
    counts = Counter(keys.values())
    return {name: key if counts[key] == 1 else name for name, key in keys.items()}


def _code(character: str) -> str:
    return f"_x{ord(character):x}_"

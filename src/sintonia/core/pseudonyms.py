"""Customers under another name, for files that leave the workspace: keyed hashes, whose key stays behind.

Runs keep a prediction a row, so that two of them can be compared customer by customer. A shared MLflow server then
holds hashes that say nothing without the workspace's key; with it, a forgotten customer's rows can be found.
"""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from pathlib import Path

from sintonia.core.paths import WorkspacePaths

COLUMN = "customer_hash"


def pseudonyms(key: bytes, customers: Sequence[str]) -> list[str]:
    """Return a name of 16 hexadecimal digits for each customer id, the same for the same key.

    Examples
    --------
    >>> first, second, again = pseudonyms(b"key", ["C1", "C2", "C1"])
    >>> first == again, first == second, first in pseudonyms(b"other", ["C1"])
    (True, False, False)
    """
    known: dict[str, str] = {}
    for customer in customers:
        if customer not in known:
            known[customer] = hashlib.blake2b(customer.encode(), key=key, digest_size=8).hexdigest()
    return [known[customer] for customer in customers]


def workspace_key(workspace: Path) -> bytes:
    """Return the workspace's key, made when there is none yet."""
    path = WorkspacePaths(workspace).pseudonym_key
    if not path.is_file():
        workspace.mkdir(parents=True, exist_ok=True)
        path.write_text(secrets.token_hex(32), encoding="ascii")
    return bytes.fromhex(path.read_text(encoding="ascii"))


def known_as(workspace: Path, customers: Collection[str]) -> frozenset[str]:
    """Return the names these customers go by in the workspace's runs; none where no run has named anybody."""
    there = WorkspacePaths(workspace).pseudonym_key.is_file()
    return frozenset(pseudonyms(workspace_key(workspace), [*customers])) if there else frozenset()

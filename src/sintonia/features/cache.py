"""Computed features cached on disk: `features/<store>-<hash>/<bucket>.parquet` in the workspace.

The hash is of what the features are (their terms, how they combine, what was fitted), of the code that computes
them and of the as-of dates; the store's fingerprint stands before it. A table is reused by any training with
the same features and dates, whatever its task or model. The files carry customer ids: `sintonia forget`, which searches
every file of the workspace, removes a customer's rows from them, and the new fingerprint of the store leaves the rest
unused. A build, and a training that needs the room, remove what is no longer used.
"""

import hashlib
import inspect
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from sintonia import __version__
from sintonia.features.measures import Feature

if TYPE_CHECKING:
    import pyarrow as pa

GIB = 2**30
FEATURES_CODE = Path(__file__).resolve().parent


def table_folder(
    features: Path, store: str, features_computed: Sequence[Feature], as_ofs: Sequence[datetime]
) -> Path | None:
    """Return the folder that caches the features of a store at as-of dates; None when a feature cannot be described.

    `features` is the folder of all such tables, `store` the store's fingerprint.
    """
    try:
        description = repr(
            (
                __version__,
                _code_hash(),
                sorted(set(as_ofs)),
                [_to_plain(feature) for feature in features_computed],
            )
        )
    except _NotDescribableError:
        return None
    return features / f"{store}-{hashlib.sha256(description.encode()).hexdigest()[:16]}"


def feature_text(feature: Feature) -> str:
    """Return a text that identifies a feature; one that cannot be described equals only itself."""
    try:
        return repr(_to_plain(feature))
    except _NotDescribableError:
        return f"{feature.name} {id(feature)}"


def read_or_compute(path: Path | None, compute: "Callable[[], pa.Table]") -> "pa.Table":
    """Return the table in this file, computing and writing it when there is none; without a path, compute only."""
    import pyarrow.parquet as pq

    if path is None:
        return compute()
    if path.is_file():
        return pq.read_table(path)
    table = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    pq.write_table(table, part, compression="zstd", use_dictionary=["customer_id"])
    part.replace(path)
    return table


def prune(features: Path, store: str, limit_gib: float, used: Path | None = None) -> None:
    """Remove the tables of other stores, then the oldest of this one until the rest fit into the limit.

    The table in use stays.
    """
    tables = [folder for folder in features.glob("*-*") if folder.is_dir()]
    room = limit_gib * GIB
    for folder in sorted(tables, key=lambda path: (path == used, path.stat().st_mtime), reverse=True):
        room -= sum(file.stat().st_size for file in folder.iterdir())
        if not folder.name.startswith(f"{store}-") or (room < 0 and folder != used):
            shutil.rmtree(folder, ignore_errors=True)


@cache
def _code_hash() -> str:
    """Return a hash of the code that computes features."""
    digest = hashlib.sha256()
    for file in sorted(FEATURES_CODE.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


class _NotDescribableError(Exception):
    """A feature has a part whose code or values cannot be described by a text."""


def _to_plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value as nested tuples of plain ones; functions by their names, a user's with their file."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = [(field.name, _to_plain(getattr(value, field.name))) for field in fields(value)]
        return type(value).__name__, *pairs
    if isinstance(value, partial):
        return _to_plain(value.func), _to_plain(value.args), _to_plain(dict(value.keywords))
    if isinstance(value, dict):
        return [(key, _to_plain(inner)) for key, inner in sorted(value.items())]
    if isinstance(value, list | tuple):
        return [_to_plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes().hex()
    if isinstance(value, np.ufunc):
        return value.__name__
    if isinstance(value, FunctionType):
        return _function_identity(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise _NotDescribableError


def _function_identity(value: FunctionType) -> tuple[str, str, str]:
    """Return a function's module and name, with the hash of its file when it is not part of sintonia."""
    module, name = value.__module__, value.__qualname__
    if module.partition(".")[0] == "sintonia" and getattr(sys.modules.get(module), name, None) is value:
        return module, name, ""
    if value.__closure__:
        raise _NotDescribableError
    file = inspect.getsourcefile(value)
    if file is None or not Path(file).is_file():
        raise _NotDescribableError
    return module, name, hashlib.sha256(Path(file).read_bytes()).hexdigest()

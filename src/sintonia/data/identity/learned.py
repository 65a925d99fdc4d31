"""A learned model as tables of a store's folder `identity`, and back."""

from pathlib import Path

import pyarrow as pa

from sintonia.core.config import IdentityConfig
from sintonia.core.errors import InputError
from sintonia.data.identity.match import MatchModel
from sintonia.data.identity.state import PreviousBuild
from sintonia.data.identity.training import Weights


def model_path(before: PreviousBuild, config: IdentityConfig) -> Path | None:
    """Return the folder of the model that stands: of earlier builds, or of `identity.weights`; None: learn one.

    Raises
    ------
    InputError
        When `identity.weights` holds no weights.
    """
    if before.scores and before.path("weights") is not None:
        return before.folder
    if config.weights is None:
        return None
    given = PreviousBuild(Path(config.weights))
    if given.path("weights") is None or given.path("frequencies") is None:
        raise InputError(
            f"No weights in identity.weights='{config.weights}'; give the folder store/<version>/identity of a "
            "workspace built with identity=probabilistic, or null to learn them."
        )
    return given.folder


def read_model(folder: Path | None) -> MatchModel | None:
    """Return the model that a build left in the folder, None without one."""
    source = PreviousBuild(folder)
    weights, frequencies, limits = (source.read(name) for name in ("weights", "frequencies", "limits"))
    if weights is None or frequencies is None:
        return None
    picked = (
        None
        if limits is None
        else dict(zip(limits["key"].to_pylist(), limits["most"].to_pylist(), strict=True))
    )
    return MatchModel(_weights(weights), frequencies, picked)


def model_tables(model: MatchModel) -> dict[str, pa.Table]:
    """Return a model's tables but its frequencies, `limits` only where it has some.

    `weights` has one row per (field, degree): `m`, `u`, and the shares of matches and households.
    """
    limits = model.limits
    keys = (
        {} if limits is None else {"limits": pa.table({"key": list(limits), "most": list(limits.values())})}
    )
    return {"weights": _weights_table(model.weights), **keys}


def _weights_table(weights: Weights) -> pa.Table:
    rows = [(field, degree) for field, shares in weights.m.items() for degree in range(len(shares))]
    return pa.table(
        {
            "field": [field for field, _ in rows],
            "degree": [degree for _, degree in rows],
            "m": [weights.m[field][degree] for field, degree in rows],
            "u": [weights.u[field][degree] for field, degree in rows],
            "match_share": [weights.match_share] * len(rows),
            "household_share": [weights.household_share] * len(rows),
        }
    )


def _weights(table: pa.Table) -> Weights:
    m: dict[str, list[float]] = {}
    u: dict[str, list[float]] = {}
    rows = table.to_pylist()
    for row in rows:
        m.setdefault(row["field"], []).append(row["m"])
        u.setdefault(row["field"], []).append(row["u"])
    return Weights(m, u, rows[0]["match_share"], rows[0]["household_share"])

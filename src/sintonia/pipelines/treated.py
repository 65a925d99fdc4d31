"""What the page on a policy needs of a workspace: the run's study, the last round, and customers with their gains."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sintonia import features, registry
from sintonia.config import ReviewSettings
from sintonia.errors import NotBuiltError
from sintonia.features import History
from sintonia.interactions import Store, open_store
from sintonia.policy_gate import policy_requirements
from sintonia.review import Check
from sintonia.review.history import histories
from sintonia.review.policy import PolicyReview, Treated, choose_treated
from sintonia.review.sample import key_path
from sintonia.uplift.points import reward_kinds
from sintonia.uplift.saved import PolicyModel

LOOKED_AT = 2000
"""Customers among whom those that teach are chosen."""


def policy_review(
    place: registry.Tracking, registered: registry.Registered, settings: ReviewSettings
) -> PolicyReview:
    """Return what the page on a registered policy shows."""
    config = registry.read_document(place, registered.run_id, "config.json")
    model = registry.load_registered_policy(place, registered)
    try:
        store = open_store(Path(settings.workspace))
    except NotBuiltError:
        store = None
    own = None if store is None or store.source != model.source else store
    return PolicyReview(
        study=registry.read_document(place, registered.run_id, "study.json"),
        policy=config["policy"],
        catalogue=registry.read_document(place, registered.run_id, registry.CATALOGUE),
        round=None if own is None else _last_round(own),
        customers=() if own is None else _customers(own, model, registered, settings),
        source=model.source,
        fingerprint=model.fingerprint,
        model_name=registered.name,
        model_version=registered.version,
        run_id=registered.run_id,
        gate=_gate(place, registered, settings),
    )


def _gate(
    place: registry.Tracking, registered: registry.Registered, settings: ReviewSettings
) -> tuple[Check, ...]:
    """Return what a promotion will ask of the policy's figures."""
    champion = registry.find_alias(place, settings.task.name, registry.CHAMPION)
    other = None if champion is None or champion.version == registered.version else champion
    found = policy_requirements(place, settings, registered, other)
    return tuple(Check(one.name, one.passed, one.told) for one in found)


def _last_round(store: Store) -> dict[str, Any] | None:
    """Return what the round decided last reported; None when none was."""
    reports = sorted(store.rounds.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    found: dict[str, Any] | None = json.loads(reports[-1].read_text(encoding="utf-8")) if reports else None
    return found


def _customers(
    store: Store, model: PolicyModel, registered: registry.Registered, settings: ReviewSettings
) -> tuple[Treated, ...]:
    """Return the customers that teach; who they are is written into the workspace beside the other keys."""
    as_of = store.data_until(reward_kinds(model.config.reward))
    everybody = sorted(store.customer_ids())
    drawn = np.random.default_rng(settings.seed).permutation(len(everybody))[:LOOKED_AT]
    ids, values = _features(store, model, as_of, {everybody[at] for at in drawn.tolist()})
    if not len(ids):
        return ()
    gains = model.predict(values)
    chosen = choose_treated(gains, settings.seed)
    known = histories(store, [(ids[at], as_of) for at in chosen])
    key = pa.table({"sample": np.arange(1, len(ids) + 1), "customer_id": pa.array(ids, pa.string())})
    path = key_path(Path(settings.workspace), registered.run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(key.take(pa.array([*chosen])), path)
    names = model.effects.actions.names
    return tuple(
        Treated(
            sample=at + 1,
            kind=kind,
            gains=tuple(zip(names[1:], gains[at, 1:].round(6).tolist(), strict=True)),
            history=history,
        )
        for (at, kind), history in zip(chosen.items(), known, strict=True)
    )


def _features(
    store: Store, model: PolicyModel, as_of: datetime, customers: set[str]
) -> tuple[list[str], NDArray[np.float32]]:
    """Return the customers of these of whom anything is known at as_of, and what the policy reads of them."""
    made = features.plan(features.catalogue(model.features, model.fitted))
    ids: list[str] = []
    values = [np.empty((0, len(made.names)), np.float32)]
    for path in store.buckets:
        interactions = store.read_bucket(path, customers, dict.fromkeys([*made.reads, "customer_id"]))
        beside = {name: store.read_beside(name, path, customers) for name in made.others}
        computed = features.compute_features(
            History(interactions, **beside) if beside else interactions, [as_of], made
        )
        ids += computed["customer_id"].cast(pa.string()).to_pylist()
        values.append(np.column_stack([computed[name].to_numpy() for name in made.names]))
    return ids, np.concatenate(values)

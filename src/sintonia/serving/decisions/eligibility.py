"""Every check of a policy, in its order: consent, the rules stage by stage, the contact policy, what is not known."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from sintonia.core.arrays import Bools
from sintonia.core.config import NONE, ActionConfig
from sintonia.core.config.engagement import STAGES, ContactRules, EligibilityRules
from sintonia.data.consent import consents
from sintonia.features.sql import Cells
from sintonia.serving.decisions.contacts import over_limit, paused
from sintonia.serving.decisions.facts import OPEN_COMPLAINT, marked
from sintonia.serving.decisions.refusals import (
    POLICY,
    RefusalRule,
    Refusals,
    refuse_by_rules,
    refuse_without_consent,
)
from sintonia.serving.decisions.timing import Hours

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def check(
    connection: "duckdb.DuckDBPyConnection",
    configured: Mapping[str, ActionConfig],
    eligibility: EligibilityRules,
    contacts: ContactRules,
    ids: "pa.Array",
    facts: Mapping[str, Cells],
    decided_at: datetime,
) -> Refusals:
    """Return what consent, the rules and the contact policy refuse to whom; `connection` as `open_tables` leaves it."""
    names, actions = [NONE, *configured], [None, *configured.values()]
    refusals = Refusals.none(len(ids), len(names))
    told = consents(connection, decided_at - timedelta(microseconds=1))
    agreed = told.filter(told["allowed"])
    channels = dict.fromkeys(action.channel for action in configured.values())
    by_channel = {name: agreed.filter(pc.equal(agreed["channel"], name))["customer_id"] for name in channels}
    consenting = {name: marked(ids, some.combine_chunks()) for name, some in by_channel.items()}
    refuse_without_consent(refusals, actions, consenting)
    refuse_by_rules(refusals, eligibility.rules, STAGES, names, facts)
    for name, limit in contacts.limits.items():
        reached = marked(ids, over_limit(connection, limit, decided_at, contacts.time_zone))
        refusals.refuse(_contact(name), reached, _on(actions, limit.channel))
    for name, pause in contacts.pauses.items():
        resting = marked(ids, paused(connection, pause, decided_at))
        refusals.refuse(_contact(name), resting, _on(actions, pause.channel))
    if eligibility.complaint_stops_selling:
        sells = np.array([action is not None and action.selling for action in actions])
        waiting = RefusalRule("open_complaint", POLICY, "a complaint is open")
        refusals.refuse(waiting, np.asarray(facts[OPEN_COMPLAINT].values, np.bool_), sells)
    return refusals


def refuse_unknown(
    refusals: Refusals, configured: Mapping[str, ActionConfig], effects: NDArray[np.float32], hours: Hours
) -> None:
    """Refuse actions of which no effect is known, and those for which no allowed hour comes in time."""
    every = np.arange(effects.shape[1]) > 0
    refusals.refuse(
        RefusalRule("no_effect", "arbitration", "its effect is not known"), np.isnan(effects), every
    )
    places = [hours.uses[action.channel] for action in configured.values()]
    never = [np.zeros(len(effects), np.bool_), *(~hours.reachable(place) for place in places)]
    refusals.refuse(
        RefusalRule("no_hour", "timing", "no allowed hour comes in time"), np.column_stack(never), every
    )


def _contact(name: str) -> RefusalRule:
    return RefusalRule(name, POLICY, name.replace("_", " "))


def _on(actions: Sequence[ActionConfig | None], channel: str | None) -> Bools:
    return np.array([action is not None and channel in (None, action.channel) for action in actions])

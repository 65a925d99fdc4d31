"""A round decided on a store: who may have what, what it is worth, who gets it, when and why, all written down."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from sintonia.core.config import ActionConfig, DecideSettings, EngagementConfig
from sintonia.core.errors import unknown
from sintonia.core.progress import step
from sintonia.data.store import Store
from sintonia.registry.models import find_model
from sintonia.registry.tracking import Registered, open_tracking
from sintonia.serving.decisions.arms import ARMS
from sintonia.serving.decisions.choosing import Chosen, choose
from sintonia.serving.decisions.effects import intervals_of
from sintonia.serving.decisions.explanations import why_table
from sintonia.serving.decisions.preparing import Prepared, prepare
from sintonia.serving.decisions.refusals import Refusals
from sintonia.serving.decisions.rounds import (
    Round,
    channels_of,
    decisions_table,
    round_of,
    send_times,
    write_list,
    write_round,
)
from sintonia.training.tasks import NEXT_BEST_ACTION
from sintonia.uplift.model import PolicyModel

CUSTOMER = "customer_id"
AT_ONCE = 1 << 16
"""Customers whose proposals are spelt out at a time: what is known of each is a few numbers."""


@dataclass(frozen=True)
class RoundResult:
    """A round that was decided: what was refused and chosen, and the files: decisions, reasons, the list.

    `kept` rows were reached by the round before, `listed` is how many customers the list names.
    """

    round: Round
    actions: Mapping[str, ActionConfig]
    engagement: EngagementConfig
    refusals: Refusals
    chosen: Chosen
    kept: int
    listed: int
    files: tuple[Path, Path, Path]
    currency: str = "EUR"


def decide_round(store: Store, settings: DecideSettings) -> RoundResult:
    """Return the round decided on the store's customers and written to the workspace.

    Who was reached by the round's messages already stays as decided; all others are decided anew. The order of the
    effects' rows, threads, memory and buckets change nothing.
    """
    found = _decide(store, settings)
    one, prepared, chosen = found.round, found.prepared, found.chosen
    keys = _keys(store, settings.key)
    with step("Writing the round"):
        decisions, why = found.tables()
        files = write_round(store, one.round_id, pa.concat_tables([decisions, prepared.sent]), why)
        path = Path(settings.out) if settings.out else store.rounds / f"{one.round_id}.csv"
        listed = write_list(path, decisions, why, settings.key or CUSTOMER, keys, store.currency)
    return RoundResult(
        round=one,
        actions=settings.actions,
        engagement=settings.engagement,
        refusals=prepared.refusals,
        chosen=chosen,
        kept=len(prepared.sent),
        listed=listed,
        files=(files[0], files[1], path),
        currency=store.currency,
    )


def propose(store: Store, settings: DecideSettings, customers: pa.Array) -> Iterator[pa.Table]:
    """Yield, for some customers after others, what a round of these alone would decide; nothing is written or sent.

    One row a customer, by id: customer_id, action_id ('none': nothing is done), channel, send_at_local, effect of the
    action against doing nothing, runner_up and margin, by how much that is behind (null where nothing was weighed),
    worth, arm and assignment_probability (that of its action within the arm). Who is held out stays held out,
    whoever else is asked about; budget and capacities are those of a whole round, which is why the customers are
    decided on together: what is scarce goes to where it is worth the most among all of them.
    """
    found = _decide(store, settings, customers)
    for first in range(0, max(len(found.prepared.case.ids), 1), AT_ONCE):
        yield found.proposed(slice(first, first + AT_ONCE))


@dataclass(frozen=True)
class _Found:
    """A round as it was decided, before anything is written."""

    round: Round
    prepared: Prepared
    chosen: Chosen

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Return the decisions in the columns of the contract, and why they were taken with when to send."""
        prepared, chosen, case = self.prepared, self.chosen, self.prepared.case
        decisions = decisions_table(self.round, case, chosen, prepared.live)
        why = why_table(case, chosen, prepared.refusals)
        why = why.append_column("decision_id", decisions["decision_id"])
        bounds = intervals_of(prepared.effects, case.ids, chosen.action, chosen.options.actions)
        for name, bound in bounds.items():
            why = why.append_column(name, bound)
        for name, times in send_times(chosen, case).items():
            why = why.append_column(name, times)
        return decisions, why

    def proposed(self, rows: slice) -> pa.Table:
        """Return what is proposed to customers who follow one another."""
        case, chosen = self.prepared.case.part(rows), self.chosen.part(rows)
        why = why_table(case, chosen, self.prepared.refusals.part(rows))
        names = ("customer_id", "action_id", "effect", "runner_up", "margin", "worth")
        return pa.table(
            {
                **{name: why[name] for name in names},
                "channel": channels_of(chosen),
                "send_at_local": send_times(chosen, case)["send_at_local"],
                "arm": pa.array(ARMS).take(pa.array(chosen.arm)),
                "assignment_probability": chosen.propensities[np.arange(len(case.ids)), chosen.action],
            }
        )


def _decide(store: Store, settings: DecideSettings, customers: pa.Array | None = None) -> _Found:
    """Return the round decided for these customers, by default for all of the store's."""
    place = open_tracking(settings.tracking, store.rounds.parent)
    learned = None if settings.effects_table else find_model(place, NEXT_BEST_ACTION, PolicyModel)
    origin = Path(settings.effects_table).name if settings.effects_table else _named(learned)
    one = round_of(store, settings, origin)
    prepared = prepare(store, settings, one, None if learned is None else learned[0], customers)
    with step("Deciding"):
        chosen = choose(
            prepared.case, settings.actions, settings.engagement, one.round_id, settings.engine.threads
        )
        return _Found(one, prepared, chosen)


def _named(learned: tuple[PolicyModel, Registered] | None) -> str:
    return "" if learned is None else f"{learned[1].name} v{learned[1].version}"


def _keys(store: Store, key: str | None) -> dict[str, str] | None:
    """Return by customer its identifier of a type, the first of several in their own order; None for customer_id."""
    if key in (None, CUSTOMER):
        return None
    if key not in store.key_types():
        raise unknown("key", str(key), [CUSTOMER, *store.key_types()])
    known = store.read_crosswalk(str(key)).sort_by([("source_key", "descending")])
    return dict(zip(known["customer_id"].to_pylist(), known["source_key"].to_pylist(), strict=True))

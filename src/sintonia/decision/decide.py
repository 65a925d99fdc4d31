"""A round decided on a store: who may have what, what it is worth, who gets it, when and why, all written down."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.config import DecideSettings, EngagementConfig
from sintonia.decision.choosing import Chosen, choose
from sintonia.decision.effects import intervals_of
from sintonia.decision.preparing import Prepared, prepare
from sintonia.decision.refusals import Refusals
from sintonia.decision.rounds import Round, decisions_table, round_of, send_times, write_list, write_round
from sintonia.decision.why import why_table
from sintonia.errors import unknown
from sintonia.interactions import Store
from sintonia.progress import step
from sintonia.registry import Registered, find_policy, tracking
from sintonia.uplift.saved import PolicyModel

CUSTOMER = "customer_id"


@dataclass(frozen=True)
class Decided:
    """A round that was decided: what was refused and chosen, and the files: decisions, reasons, the list.

    `kept` rows were reached by the round before, `listed` is how many customers the list names.
    """

    round: Round
    policy: EngagementConfig
    refusals: Refusals
    chosen: Chosen
    kept: int
    listed: int
    files: tuple[Path, Path, Path]


def decide_round(store: Store, settings: DecideSettings) -> Decided:
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
        listed = write_list(path, decisions, why, settings.key or CUSTOMER, keys)
    return Decided(
        round=one,
        policy=settings.engagement,
        refusals=prepared.refusals,
        chosen=chosen,
        kept=len(prepared.sent),
        listed=listed,
        files=(files[0], files[1], path),
    )


def propose(store: Store, settings: DecideSettings, customers: Collection[str]) -> pa.Table:
    """Return what a round of these customers alone would decide; nothing is written, and nobody is contacted.

    One row a customer: customer_id, action_id ('none': nothing is done), channel, send_at (UTC), send_at_local, effect
    of the action against doing nothing, runner_up and margin_eur, by how much that is behind (null where nothing was
    weighed), worth_eur, arm and assignment_probability (that of its action within the arm). Who is held out stays held
    out, whoever else is asked about; budget and capacities are those of a whole round, which is why the customers are
    decided on together: what is scarce goes to where it is worth the most among all of them.
    """
    decisions, why = _decide(store, settings, frozenset(customers)).tables()
    places = pc.list_value_length(decisions["eligible_actions"]).to_numpy()
    whose = np.repeat(np.arange(len(decisions)), places)
    taken = pc.equal(
        pc.list_flatten(decisions["eligible_actions"]), decisions["action_id"].take(pa.array(whose))
    ).to_numpy(zero_copy_only=False)
    probability = np.zeros(len(decisions))
    probability[whose[taken]] = pc.list_flatten(decisions["logging_propensities"]).to_numpy()[taken]
    factors = ("send_at", "send_at_local", "effect", "runner_up", "margin_eur", "worth_eur")
    return pa.table(
        {
            **{name: decisions[name] for name in ("customer_id", "action_id", "channel")},
            **{name: why[name] for name in factors},
            "arm": decisions["arm"],
            "assignment_probability": probability,
        }
    )


@dataclass(frozen=True)
class _Found:
    """A round as it was decided, before anything is written."""

    round: Round
    prepared: Prepared
    chosen: Chosen

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Return the decisions in the columns of the contract, and why they were taken with when to send."""
        prepared, chosen = self.prepared, self.chosen
        decisions = decisions_table(self.round, prepared.case, chosen, prepared.ids, prepared.live)
        why = why_table(prepared.case, chosen, prepared.refusals, prepared.ids)
        why = why.append_column("decision_id", decisions["decision_id"])
        bounds = intervals_of(prepared.effects, prepared.ids, chosen.action, chosen.options.actions)
        for name, bound in bounds.items():
            why = why.append_column(name, bound)
        for name, times in send_times(chosen, prepared.case).items():
            why = why.append_column(name, times)
        return decisions, why


def _decide(store: Store, settings: DecideSettings, customers: Collection[str] | None = None) -> _Found:
    """Return the round decided for these customers, by default for all of the store's."""
    learned = None if settings.effects else find_policy(tracking(settings.tracking, store.rounds.parent))
    origin = Path(settings.effects).name if settings.effects else _named(learned)
    one = round_of(store, settings, origin)
    prepared = prepare(store, settings, one, None if learned is None else learned[0], customers)
    with step("Deciding"):
        return _Found(
            one, prepared, choose(prepared.case, settings.engagement, one.round_id, settings.engine.threads)
        )


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

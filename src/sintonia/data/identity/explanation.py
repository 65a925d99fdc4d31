"""Why a customer is one customer: its identifiers, what tied them, since when, and what was kept apart from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sintonia.data.identity.charts import JudgedPair
from sintonia.data.identity.findings import masked_key


@dataclass(frozen=True)
class Identifier:
    """One identifier of the customer, masked where personal: first seen when, the customer's since when, and why.

    `rule` and `match_probability` are those of the weakest tie that it hangs on.
    """

    shown: str
    first_seen_at: datetime
    linked_at: datetime
    rule: str
    match_probability: float


@dataclass(frozen=True)
class Tie:
    """Two identifiers (masked where personal) tied, or kept apart, by a rule from a moment on.

    `pair` says what their records have in common, where they were compared.
    """

    left: str
    right: str
    known_at: datetime
    rule: str
    match_probability: float
    pair: JudgedPair | None = None


@dataclass(frozen=True)
class IdentityChange:
    """What became of a customer id: part of this customer (merge), or some identifiers gone (split) and where."""

    customer_id: str
    change: str
    other_customer_id: str
    changed_at: datetime


@dataclass(frozen=True)
class Explanation:
    """Why a customer is one: identifiers by the time they joined, the ties between them as they became known.

    `refused` are ties that a shared identifier or a cannot-link forbade, `held` merges that wait for a person;
    `changes` are earlier customers that became part of it, and splits.
    """

    asked: str
    customer_id: str
    identifiers: Sequence[Identifier]
    ties: Sequence[Tie]
    refused: Sequence[Tie]
    held: Sequence[Tie]
    changes: Sequence[IdentityChange]


def lines(found: Explanation) -> list[str]:
    """Return the explanation in lines for people: who, since when, and every tie with what its records agree on."""
    since = min(one.first_seen_at for one in found.identifiers)
    say = [f"{found.customer_id}: {len(found.identifiers):,} identifiers, the first since {_minute(since)}"]
    say += [f"Asked for {masked_key(found.asked)}"] if found.asked != found.customer_id else []
    say.append("Identifiers, by the time they became the customer's, and the weakest tie they hang on:")
    for one in found.identifiers:
        seen = "" if one.first_seen_at == one.linked_at else f" (seen since {_minute(one.first_seen_at)})"
        say.append(f"  {_minute(one.linked_at)}  {one.shown}, {_rule(one.rule, one.match_probability)}{seen}")
    told = {
        "Ties, as they became known": found.ties,
        "Ties refused": found.refused,
        "Merges held": found.held,
    }
    for title, ties in told.items():
        say += [f"{title}:", *(line for tie in ties for line in _tie_lines(tie))] if ties else []
    say += ["Earlier customers:"] if found.changes else []
    return say + [f"  {_minute(one.changed_at)}  {_change(one)}" for one in found.changes]


def _tie_lines(tie: Tie) -> list[str]:
    """Return a tie and below it what its records agree on, bit by bit, the rest being what no field says."""
    lines = [
        f"  {_minute(tie.known_at)}  {tie.left} and {tie.right}, {_rule(tie.rule, tie.match_probability)}"
    ]
    if tie.pair is not None:
        lines += [f"    {one.weight:+6.1f} bits  {one}" for one in tie.pair.agreements]
        rest = tie.pair.match_weight - sum(one.weight for one in tie.pair.agreements)
        lines.append(f"    {rest:+6.1f} bits  how rare matches are, and what people of one home share")
        lines.append(f"    {tie.pair.match_weight:+6.1f} bits  in all")
    return lines


def _rule(rule: str, probability: float) -> str:
    return f"{rule}, probability {probability:.3f}" if probability < 1 else rule


def _change(one: IdentityChange) -> str:
    if one.change == "merge":
        return f"{one.customer_id} became part of {one.other_customer_id}"
    return f"some identifiers of {one.customer_id} went to {one.other_customer_id}"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"

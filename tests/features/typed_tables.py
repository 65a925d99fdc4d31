"""Attributes, links and histories as a test types them; times are days of 2025 (1 is January 1st)."""

from dataclasses import replace

import pyarrow as pa

from features.rows import FITTED, day, table
from sintonia.core.config import FeaturesConfig
from sintonia.core.schema import ATTRIBUTES, LINKS
from sintonia.features import History, compute
from sintonia.features.clv import BehaviouralPrior, BgNbdModel, GammaGammaModel


def attribute(customer_id, name, value, occurred_at, known_at=None, source="crm"):
    """Return one attribute, by default known at once."""
    known_at = occurred_at if known_at is None else known_at
    moments = {"occurred_at": day(occurred_at), "known_at": day(known_at)}
    return {"customer_id": customer_id, "name": name, "value": value, "source": source} | moments


def link(customer_id, source, linked_at, unlinked_at=None):
    """Return one tie of an identifier."""
    ended = None if unlinked_at is None else day(unlinked_at)
    return {"customer_id": customer_id, "source": source, "linked_at": day(linked_at), "unlinked_at": ended}


def attributes(rows):
    """Return attributes as the store has them."""
    return pa.Table.from_pylist(list(rows), schema=ATTRIBUTES.arrow())


def links(rows):
    """Return links as the store has them."""
    return pa.Table.from_pylist(list(rows), schema=LINKS.arrow())


def history(rows, told=(), tied=()):
    """Return whole customers with all their tables."""
    return History(table(rows), attributes(told), links(tied))


def features(family, given, as_ofs, levels=None, windows_days=(7, 30), **fitted):
    """Return a family's features as one dictionary a row, without the family's name."""
    config = FeaturesConfig(families=[family], windows_days=list(windows_days))
    found = compute(
        given, [day(as_of) for as_of in as_ofs], config, replace(FITTED, levels=levels or {}, **fitted)
    )
    return [
        {name.removeprefix(f"{family}__"): value for name, value in row.items()} for row in found.to_pylist()
    ]


LEVELS = {
    "attribute": ("region", "tier"),
    "attribute:region": ("Lazio", "Emilia Romagna"),
    "attribute:tier": ("gold", "basic"),
    "number": ("household",),
    "changing": ("tier",),
    "generation": ("boomer", "x"),
    "consent": ("email", "sms"),
    "identifier": ("cookie", "card"),
}
PRIOR = BehaviouralPrior("bg_nbd", BgNbdModel(0.243, 30.9, 0.793, 2.426), GammaGammaModel(6.25, 3.74, 1544.0))
FULL = replace(FITTED, levels={**FITTED.levels, **LEVELS}, prior=PRIOR.as_json())
"""A brand that has every channel, kind, attribute and identifier that a test names, and a prior."""

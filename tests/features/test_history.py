"""The tables beside the interactions: with them, too, what is not visible yet changes no byte."""

import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.rows import AS_OFS, anytime, bytes_of, day, histories, row, table, waits
from features.typed_tables import FULL, attribute, attributes, history, links
from sintonia.core.config import FeaturesConfig
from sintonia.features import History, catalogue, columns_read, families
from sintonia.features.history import attribute_rows, thousandths
from sintonia.features.kernel.plan import plan
from sintonia.features.table import compute_features

ALL = plan(catalogue(FeaturesConfig(families=list(families.FAMILIES), windows_days=[7, 30]), FULL))
NAMED = {
    "region": ["Lazio", "Emilia Romagna", "Molise"],
    "tier": ["gold", "basic"],
    "household": ["2", "3.5", "many"],
    "birth_year": ["1950", "1970", "1900"],
    "consent_email": ["yes", "no"],
}


@st.composite
def sayings(draw):
    """Draw one attribute of a customer who may be a stranger, late or not."""
    name, occurred_at = draw(st.sampled_from(sorted(NAMED))), draw(anytime)
    keys = {"customer_id": draw(st.sampled_from("abcdz")), "name": name, "source": "crm"}
    value = draw(st.sampled_from(NAMED[name]))
    return keys | {"value": value, "occurred_at": occurred_at, "known_at": occurred_at + draw(waits)}


@st.composite
def ties(draw):
    """Draw one tie of an identifier, ended or not."""
    linked_at, unlinked_at = draw(anytime), draw(st.none() | anytime)  # even before it was tied
    keys = {
        "customer_id": draw(st.sampled_from("abcdz")),
        "source": draw(st.sampled_from(["cookie", "card"])),
    }
    return keys | {"linked_at": linked_at, "unlinked_at": unlinked_at}


told, tied = st.lists(sayings(), max_size=20), st.lists(ties(), max_size=8)


def seen(one):
    return max(one["occurred_at"], one["known_at"])


def as_known(one, as_of):
    """The tie as the crosswalk had it at as_of: nobody knew yet that it would end."""
    ended = one["unlinked_at"]
    return one | {"unlinked_at": None if ended is None or ended > as_of else ended}


def made(rows, some, ties, as_ofs=AS_OFS, threads=1):
    return compute_features(history(rows, some, ties), as_ofs, ALL, threads=threads)


@settings(max_examples=25, deadline=None)
@given(histories, told, tied, told, tied, st.sampled_from(AS_OFS))
def test_law_1_later_attributes_and_ties_change_no_byte_of_any_family(rows, some, ties, other, others, as_of):
    now = bytes_of(made(rows, some, ties), as_of)
    rows_then = [one for one in rows if seen(one) <= as_of]
    said_then = [one for one in some if seen(one) <= as_of]
    ties_then = [as_known(one, as_of) for one in ties if one["linked_at"] <= as_of]
    assert bytes_of(made(rows_then, said_then, ties_then), as_of) == now
    later = [one for one in other if seen(one) > as_of]
    ties_later = [one for one in others if one["linked_at"] > as_of]
    assert bytes_of(made(rows, said_then + later, ties_then + ties_later), as_of) == now


@settings(max_examples=12, deadline=None)
@given(histories, told, tied, st.randoms())
def test_law_4_one_customer_equals_the_batch_and_the_order_of_the_tables_is_nothing(rows, some, ties, random):
    batch = made(rows, some, ties)
    mixed = [random.sample(few, len(few)) for few in (some, ties)]
    assert bytes_of(made(rows, *mixed, threads=2)) == bytes_of(batch)
    for customer in sorted({one["customer_id"] for one in rows}):
        own = [[one for one in few if one["customer_id"] == customer] for few in (rows, some, ties)]
        of_batch = batch.filter(pc.equal(batch["customer_id"], customer))
        assert bytes_of(made(*own)) == bytes_of(of_batch)


def test_only_whole_rows_of_the_tables_are_read_and_none_is_changed():
    given = history([row("ann", 1)], [attribute("ann", "tier", "gold", 2)])
    before = [given.attributes.to_pylist(), given.links.to_pylist()]
    compute_features(given, [day(3)], ALL)
    assert [given.attributes.to_pylist(), given.links.to_pylist()] == before
    coded = given.attributes.set_column(1, "name", given.attributes["name"].dictionary_encode())
    again = History(given.interactions, coded, given.links)
    assert bytes_of(compute_features(again, [day(3)], ALL)) == bytes_of(
        compute_features(given, [day(3)], ALL)
    )


def test_consents_make_the_plan_read_what_an_unsubscribe_is():
    config = FeaturesConfig(families=["profile"], windows_days=[7])
    assert {"kind", "channel"} <= set(columns_read(config, FULL))
    rows = table([row("ann", 1), row("ann", 2, kind="unsubscribe", channel=None)])
    found = attribute_rows(History(rows, attributes([]), links([])))
    assert len(found.occurred_at) == 0


@pytest.mark.parametrize(("text", "number"), [("1965", 1_965_000), ("-0.5", -500), ("+3", 3_000)])
def test_numbers_written_plainly_are_numbers(text, number):
    assert thousandths(text) == number
    assert all(thousandths(other) != thousandths(other) for other in (text + "x", "", "inf", "nan", "1,5"))

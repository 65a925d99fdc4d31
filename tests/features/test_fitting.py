"""What is fitted on everybody's attributes, ties and purchases: common values only, and nothing from later."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from builder import build_store
from features.rows import AS_OFS, day, row, table
from features.test_history import sayings, seen
from features.typed_tables import attribute, attributes, link, links
from sintonia import features
from sintonia.core.config import FeaturesConfig, SiloConfig, TaskConfig
from sintonia.core.schema import MERGES
from sintonia.features.clv import BehaviouralPrior
from sintonia.features.fitting import attribute_levels, behavioural_prior, link_levels
from sintonia.training.dataset import assemble

NO_MERGES = pa.Table.from_pylist([], schema=MERGES.arrow())


def crowd(name, values, at=1, **more):
    """Each value said of five customers of its own."""
    return [attribute(f"{name}{value}{one}", name, value, at, **more) for value in values for one in range(5)]


def levels(rows, until=10, top_k=3):
    return attribute_levels([attributes(rows)], day(until), top_k)


def test_values_that_five_customers_share_are_levels_the_commonest_first_and_at_most_top_k():
    rows = [
        *crowd("region", ["Lazio", "Puglia", "Molise", "Umbria"]),
        attribute("ann", "region", "Umbria", 1),
    ]
    found = levels(rows)
    assert found["attribute"] == ("region",)
    assert found["attribute:region"] == ("Umbria", "Lazio", "Molise")
    rare = [attribute(f"c{one}", "nickname", "Bunny", 1) for one in range(4)] * 2
    assert levels(rare)["attribute"] == ()


def test_a_value_counts_its_customers_once_and_in_all_tables_together():
    rows = crowd("tier", ["gold"])
    again = attribute_levels([attributes(rows[:2] * 3), attributes(rows[2:])], day(10), 3)
    assert again["attribute:tier"] == ("gold",)
    assert attribute_levels([attributes(rows[:2] * 3)], day(10), 3)["attribute"] == ()


def test_an_attribute_is_a_number_when_nearly_all_of_its_answers_are():
    numbers = [attribute(f"c{one}", "household", str(one), 1) for one in range(40)]
    assert levels([*numbers, attribute("ann", "household", "many", 1)])["number"] == ("household",)
    assert levels([*numbers[:10], attribute("ann", "household", "many", 1)])["number"] == ()


def test_birth_years_become_generations_and_consents_channels():
    found = levels([*crowd("birth_year", ["1950", "1970", "?"]), *crowd("consent_sms", ["no"])])
    assert (found["generation"], found["consent"]) == (("boomer", "x"), ("sms",))
    assert (found["attribute"], found["number"]) == ((), ())


def test_names_and_addresses_are_never_features():
    assert levels([*crowd("email", ["a@b.it"]), *crowd("street", ["Via Roma"])])["attribute"] == ()


def test_what_changed_for_some_is_known_to_change():
    rows = [*crowd("tier", ["gold"]), *crowd("region", ["Lazio"])]
    moved = [one | {"value": "basic", "occurred_at": day(3)} for one in rows[:5]]
    assert levels(rows + moved)["changing"] == ("tier",)
    assert levels(rows + moved, until=2)["changing"] == ()


def test_what_is_not_visible_by_then_is_not_fitted():
    rows = [*crowd("tier", ["gold"], 5), *crowd("region", ["Lazio"], 1, known_at=9)]
    assert [levels(rows, until)["attribute"] for until in (4, 5, 9)] == [(), ("tier",), ("region", "tier")]
    assert link_levels([links([link("a", "card", 3), link("b", "cookie", 8)])], day(5)) == {
        "identifier": ("card",)
    }


@settings(max_examples=30, deadline=None)
@given(st.lists(sayings(), max_size=30), st.lists(sayings(), max_size=30), st.sampled_from(AS_OFS))
def test_law_1_later_attributes_change_no_level(rows, others, until):
    def fitted(some):
        copies = [one | {"customer_id": f"{one['customer_id']}{copy}"} for one in some for copy in range(3)]
        return attribute_levels([attributes(copies)], until, 2)

    visible = [one for one in rows if seen(one) <= until]
    assert fitted(visible + [one for one in others if seen(one) > until]) == fitted(visible)


def shoppers(customers=300):
    """Customers who buy every few days until they stop."""
    rng = np.random.default_rng(7)
    rows = []
    for one in range(customers):
        days = 1 + np.cumsum(rng.exponential(rng.uniform(2, 20), rng.integers(1, 9)))
        rows += [row(f"c{one:03d}", float(at), amount=int(rng.integers(100, 5_000))) for at in days]
    return rows


def test_the_prior_sees_the_past_alone_and_leaves_out_who_became_another():
    rows = shoppers()
    found = behavioural_prior([table(rows)], NO_MERGES, day(60))
    assert BehaviouralPrior.from_json(found).spend is not None
    past = [one for one in rows if one["occurred_at"] <= day(60)]
    halves = [
        table([one for one in past if (one["customer_id"] < "c150") == first]) for first in (True, False)
    ]
    assert behavioural_prior(halves, NO_MERGES, day(60)) == found
    twins = [one | {"customer_id": "old" + one["customer_id"]} for one in past]
    gone = [{"customer_id": one["customer_id"], "merged_into": "c000", "merged_at": day(50)} for one in twins]
    merges = pa.Table.from_pylist(gone, schema=MERGES.arrow())
    assert behavioural_prior([table(past + twins)], merges, day(60)) == found
    assert behavioural_prior([table(past + twins)], merges, day(49)) != behavioural_prior(
        [table(past)], NO_MERGES, day(49)
    )


def test_too_few_purchases_make_no_prior():
    assert behavioural_prior([table([row("ann", 1), row("ann", 5)])], NO_MERGES, day(9)) is None


CRM = SiloConfig(
    path="crm.csv",
    identifiers={"card": "card", "cookie": "cookie"},
    occurred_at="at",
    known_at="at",
    interactions={"interaction_id": "id", "kind": "'purchase'", "amount": "10"},
    attributes={"tier": "tier"},
    constants={"channel": "web"},
)


def test_a_store_gives_each_bucket_its_tables_and_who_became_another_keeps_its_attributes(tmp_path):
    lines = ["id,at,card,cookie,tier"]
    lines += [f"{one},2025-01-0{1 + one % 2},{one},,{('gold', 'basic')[one % 2]}" for one in range(1, 13)]
    lines += ["a,2025-01-03,,k,gold", "b,2025-01-04,5,k,"]  # the cookie is card 5's from the 4th on
    (tmp_path / "crm.csv").write_text("\n".join(lines) + "\n")
    store = build_store(tmp_path, {"crm": CRM}, buckets=4)
    config = FeaturesConfig(families=["profile", "identity", "prior"], windows_days=[7])
    fitted = features.fit(config, store, day(3))
    assert fitted.prior is None
    assert fitted.levels["attribute:tier"] == ("gold", "basic")
    assert fitted.levels["identifier"] == ("card", "cookie")
    task = TaskConfig(name="purchase", active_days=365, horizon_days=30)
    names = ("profile__tier_is_gold", "identity__identifiers", "identity__silos")
    found = {}
    for as_of in (day(3), day(4)):
        rows = assemble(store, [as_of], features.catalogue(config, fitted), task)
        values = rows.select(names).values.tolist()
        found[as_of] = sorted(values)
        assert len(rows) == (13 if as_of == day(3) else 12)
    assert found[day(3)] == sorted([[0, 1, 1]] * 6 + [[1, 1, 1]] * 7)
    assert found[day(4)] == sorted([[0, 1, 1]] * 5 + [[1, 2, 1]] + [[1, 1, 1]] * 6)

"""Is there enough to learn from? Counted on a brand of arrays, and refused in one sentence."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from brand import SPLIT, TASK, build_brand
from sintonia.core.config import QuestionConfig
from sintonia.core.errors import NotEnoughDataError
from sintonia.core.timeline import Split, split_snapshots
from sintonia.data.store import Store
from sintonia.training.sufficiency import measure_sufficiency
from sintonia.training.tasks import label_rows

ENOUGH = replace(TASK, class_rows=50)


@pytest.fixture(scope="module")
def brand(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Split]:
    store = build_brand(tmp_path_factory.mktemp("brand"), customers=120)
    kinds = ["purchase"]
    return store, split_snapshots(SPLIT, TASK, store.data_from(kinds), store.data_until(kinds))


def test_rows_of_each_outcome_are_those_of_the_training_and_validation_dates(brand):
    store, split = brand
    found = measure_sufficiency(store, split, ENOUGH)
    labels = [
        label_rows(pq.read_table(path), [*split.train, *split.valid], TASK)["label"] for path in store.buckets
    ]
    yes = sum(pc.sum(label).as_py() for label in labels)
    assert found.rows == {"yes": yes, "no": sum(map(len, labels)) - yes}
    assert found.lacks == ()
    assert found.missing == {"amount": 0.0}
    assert 250 < found.history_days < 301


def test_every_lack_is_named_with_what_to_do(brand):
    store, split = brand
    greedy = replace(TASK, class_rows=100_000, history_horizons=20.0)
    with pytest.raises(NotEnoughDataError) as refused:
        measure_sufficiency(store, split, greedy)
    told = str(refused.value)
    assert told.startswith("Too little data for task 'churn': ")
    assert "days of history where 20 times the horizon are 560 (bring older data" in told
    assert "training rows with the outcome where 100,000 are needed" in told
    assert "training rows without the outcome where 100,000 are needed" in told
    assert told.endswith("Or train all the same with task.force=true: the run is marked.")


def test_force_goes_on_and_says_what_is_lacking(brand):
    store, split = brand
    found = measure_sufficiency(store, split, replace(TASK, class_rows=100_000, force=True))
    assert len(found.lacks) == 2
    assert found.figures()["lacks"] == found.lacks


def test_purchases_without_an_amount_are_too_little_for_a_shop(brand, monkeypatch):
    store, split = brand
    read = Store.read_bucket

    def blind(*args, **kwargs):
        table = read(*args, **kwargs)
        hidden = pc.if_else(pc.less(table["amount"], 4500), None, table["amount"])
        return table.set_column(table.schema.get_field_index("amount"), "amount", hidden)

    monkeypatch.setattr(Store, "read_bucket", blind)
    with pytest.raises(NotEnoughDataError, match=r"\d\d% of the purchases have no amount where 20%"):
        measure_sufficiency(store, split, ENOUGH)
    half = measure_sufficiency(store, split, replace(ENOUGH, missing_share=0.8))
    assert 0.3 < half.missing["amount"] < 0.7


def test_a_purchase_needs_no_amounts(brand, monkeypatch):
    """Whether somebody buys is known without what it cost; what somebody spends is not."""
    store, split = brand
    read = Store.read_bucket

    def blind(*args, **kwargs):
        table = read(*args, **kwargs)
        empty = pa.nulls(len(table), pa.int64())
        return table.set_column(table.schema.get_field_index("amount"), "amount", empty)

    monkeypatch.setattr(Store, "read_bucket", blind)
    purchase, value = replace(ENOUGH, name="purchase"), replace(ENOUGH, name="value")
    assert measure_sufficiency(store, split, purchase).missing == {}
    question = QuestionConfig(["purchase"], ["view"], "buyers", "looks")
    assert measure_sufficiency(store, split, replace(ENOUGH, name="looks", question=question)).missing == {}
    with pytest.raises(NotEnoughDataError, match="100% of the purchases have no amount where 20%"):
        measure_sufficiency(store, split, value)

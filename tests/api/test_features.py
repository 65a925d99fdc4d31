"""Features of a frame are those of its interactions, whatever library and types the frame has."""

from datetime import datetime

import pandas as pd
import polars
import pyarrow as pa
import pytest

import sintonia as sn

FRAME = pd.DataFrame(
    {
        "customer_id": ["1", "1", "2"],
        "occurred_at": pd.to_datetime(["2026-06-01 10:00", "2026-06-20 10:00", "2026-07-05 10:00"]),
        "kind": "purchase",
        "amount": [1200, 800, 500],
    }
)
RFM = {"families": ["rfm"], "windows_days": [30]}


def test_a_customer_has_a_row_from_the_first_date_on_which_something_is_visible():
    x = sn.compute_features(FRAME, as_of=["2026-06-30", "2026-07-31"], **RFM)
    keys = x[["customer_id", "as_of"]].itertuples(index=False, name=None)
    june, july = pd.Timestamp("2026-06-30"), pd.Timestamp("2026-07-31")
    assert list(keys) == [("1", june), ("1", july), ("2", july)]
    assert x["rfm__orders__30d"].tolist() == [2.0, 0.0, 1.0]


@pytest.mark.parametrize(
    "changed",
    [
        FRAME.assign(customer_id=[1, 1, 2]),
        FRAME.assign(amount=FRAME["amount"].astype("Int64")),
        FRAME.assign(amount=FRAME["amount"].astype(float)),
        FRAME.assign(kind=FRAME["kind"].astype("category")),
        FRAME.assign(occurred_at=FRAME["occurred_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Rome")),
        FRAME.assign(occurred_at=FRAME["occurred_at"].dt.strftime("%Y-%m-%dT%H:%MZ")),
        FRAME.set_index(pd.Index([9, 8, 7])),
    ],
    ids=["int ids", "Int64", "floats", "category", "zoned", "texts", "index"],
)
def test_types_of_a_frame_do_not_change_its_features(changed):
    before = changed.copy()
    pd.testing.assert_frame_equal(
        sn.compute_features(changed, as_of="2026-06-30", **RFM),
        sn.compute_features(FRAME, as_of=datetime(2026, 6, 30), **RFM),
    )
    pd.testing.assert_frame_equal(changed, before)


def test_an_arrow_table_in_gives_an_arrow_table():
    x = sn.compute_features(pa.Table.from_pandas(FRAME), as_of="2026-06-30", **RFM)
    assert isinstance(x, pa.Table)
    assert x.num_rows == 1


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.rename(columns={"customer_id": "custmer_id"}), "did you mean 'custmer_id'"),
        (FRAME.assign(amount=1.5), r'\(df\["amount"\] \* 100\)\.round\(\)\.astype\("int64"\)'),
        (FRAME.assign(kind="purchas"), "Unknown kind 'purchas' .* did you mean 'purchase'"),
        (FRAME.assign(channel="wbe"), "Unknown channel 'wbe' .* did you mean 'web'"),
        (FRAME.assign(interaction_id="a"), "first 'a' of customer '1'; drop the duplicates"),
        (FRAME.assign(occurred_at="yesterday"), "'occurred_at' cannot be read as timestamp"),
        (FRAME.assign(kind=None), "3 interactions have no 'kind'"),
        ([1, 2], "is a list; give a pandas, Polars or Arrow data frame"),
    ],
)
def test_a_wrong_frame_is_refused_in_one_line(frame, message):
    with pytest.raises(sn.SintoniaError, match=message) as error:
        sn.compute_features(frame, as_of="2026-06-30")
    assert "\n" not in str(error.value)


def test_a_frame_of_polars_gives_a_frame_of_polars_with_the_same_features():
    x = sn.compute_features(polars.from_pandas(FRAME), as_of="2026-06-30", **RFM)
    assert isinstance(x, polars.DataFrame)
    expected = sn.compute_features(FRAME, as_of="2026-06-30", **RFM)
    assert x.columns == list(expected.columns)
    assert x["rfm__orders__30d"].to_list() == expected["rfm__orders__30d"].tolist()

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
MILLISECONDS = [1780308000000, 1781949600000, 1783245600000]
"""The moments of the frame since 1970, as `DataFrame.to_json(orient="split")` of pandas 2 writes them."""

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
        FRAME.assign(customer_id=pd.array([1, 1, 2], dtype="Int64")),
        FRAME.assign(customer_id=[1.0, 1.0, 2.0]),
        FRAME.assign(customer_id=pd.Categorical([1, 1, 2])),
        FRAME.assign(occurred_at=MILLISECONDS),
        FRAME.assign(occurred_at=pd.array(MILLISECONDS, dtype="Int64")),
        FRAME.assign(occurred_at=[float(moment) for moment in MILLISECONDS]),
        FRAME.assign(occurred_at=[str(moment) for moment in MILLISECONDS]),
        FRAME.assign(occurred_at=[moment // 1000 for moment in MILLISECONDS]),
        FRAME.assign(occurred_at=[moment * 1000 for moment in MILLISECONDS]),
        FRAME.assign(occurred_at=[moment * 10**6 for moment in MILLISECONDS]),
        FRAME.assign(
            occurred_at=["2026-06-01T12:00:00+02:00", "2026-06-20T10:00:00.000Z", "2026-07-05 10:00:00.0"]
        ),
        FRAME.assign(
            occurred_at=["2026-06-01 05:00:00 -0500", "2026-06-20 10:00:00 UTC", "2026-07-05T15:30:00+05:30"]
        ),
    ],
    ids=[
        "int ids",
        "Int64",
        "floats",
        "category",
        "zoned",
        "texts",
        "index",
        "Int64 ids",
        "float ids",
        "int categories",
        "milliseconds",
        "Int64 milliseconds",
        "float milliseconds",
        "milliseconds as texts",
        "seconds",
        "microseconds",
        "nanoseconds",
        "offsets and fractions",
        "offsets behind a blank",
    ],
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
        (
            FRAME.assign(kind="PURCHASE"),
            "Unknown kind 'PURCHASE' in the interactions; choose cancel, cart, click",
        ),
        (FRAME.assign(kind="buy"), "Unknown kind 'buy' in the interactions; choose cancel, cart, click"),
        (
            FRAME.assign(channel="tv"),
            "Unknown channel 'tv' in the interactions; choose app, chat, email, mail",
        ),
        (
            FRAME.assign(customer_id=[1, "one", 2]),
            r"column 'customer_id' of `interactions` has values of several types \(int, str\); give it one",
        ),
        (
            FRAME.assign(customer_id=[True, True, False]),
            "'customer_id' cannot be read as string: true and false",
        ),
        (FRAME.assign(customer_id=[2.0**53, 1.0, 2.0]), r"above 2\^53 as floats, which are rounded"),
        (FRAME.assign(amount="1,50"), "'amount' cannot be read as int64: it has texts"),
        (FRAME.assign(occurred_at=[1, 2, 3]), "numbers that are no times since 1970"),
        (FRAME.assign(occurred_at=[20260601, 20260602, 20260603]), "numbers that are no times since 1970"),
        (
            FRAME.assign(occurred_at=[MILLISECONDS[0], MILLISECONDS[1], MILLISECONDS[2] * 1000]),
            "numbers that are no times since 1970",
        ),
        (FRAME.assign(occurred_at="2026-06-01 10:00 PM"), "3 of 3 values are no times in ISO 8601"),
        (FRAME.assign(occurred_at="2026-06-01 10:00 Europe/Rome"), "3 of 3 values are no times in ISO 8601"),
        (FRAME.assign(occurred_at="1900-01-01"), "3 interactions have their 'occurred_at' before 1990-01-02"),
        (
            FRAME.assign(
                occurred_at=pd.to_datetime(MILLISECONDS)
            ),  # milliseconds that somebody read as nanoseconds
            "3 interactions have their 'occurred_at' before 1990-01-02, which is not credible",
        ),
        (pd.concat([FRAME, FRAME[["kind"]]], axis=1), "has two columns of one name"),
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


def test_rows_twice_count_once_and_the_log_says_so(caplog):
    known = FRAME.assign(interaction_id=["a", "b", "c"], sentiment=[0.5, None, float("nan")])
    twice = pd.concat([known, known, known.iloc[:1]])
    with caplog.at_level("WARNING"):
        found = sn.compute_features(twice, as_of="2026-07-31", **RFM)
    pd.testing.assert_frame_equal(found, sn.compute_features(known, as_of="2026-07-31", **RFM))
    assert "4 of 7 interactions repeat another one in every column" in caplog.text


def test_equal_rows_without_an_id_count_each_and_the_log_says_so(caplog):
    with caplog.at_level("WARNING"):
        found = sn.compute_features(pd.concat([FRAME, FRAME]), as_of="2026-06-30", **RFM)
    assert found["rfm__orders__30d"].tolist() == [4.0]
    assert "3 of 6 interactions are equal to another one in every column, and each counts" in caplog.text


def test_rows_that_are_not_twice_are_not_spoken_of(caplog):
    with caplog.at_level("INFO"):
        sn.compute_features(FRAME, as_of="2026-06-30", **RFM)
        sn.compute_features(FRAME.assign(interaction_id=["a", "b", "a"]), as_of="2026-06-30", **RFM)
    assert caplog.text == ""


def test_polars_and_arrow_give_numbers_of_milliseconds_and_categories_too():
    expected = sn.compute_features(FRAME, as_of="2026-06-30", **RFM)["rfm__orders__30d"].tolist()
    frame = polars.from_pandas(FRAME.assign(occurred_at=MILLISECONDS))
    typed = frame.with_columns(
        polars.col("kind").cast(polars.Categorical), polars.col("customer_id").cast(polars.Int32)
    )
    assert sn.compute_features(typed, as_of="2026-06-30", **RFM)["rfm__orders__30d"].to_list() == expected
    views = pa.table(
        {
            name: column.cast(pa.string_view()) if column.type == pa.large_string() else column
            for name, column in zip(frame.columns, frame.to_arrow().columns, strict=True)
        }
    )
    found = sn.compute_features(views, as_of="2026-06-30", **RFM)
    assert found["rfm__orders__30d"].to_pylist() == expected

"""Matching on tiny tables, and on public sets with known truth."""

import re

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from sintonia.core.config import IdentityConfig
from sintonia.core.errors import ConfigError, NotEnoughDataError
from sintonia.data.identity.grouping import cluster
from sintonia.data.identity.match_model import MatchConfig, match_new, match_pairs
from sintonia.data.identity.previous_build import recall
from sintonia.data.identity.quality import quality
from sintonia.data.identity.standardise import standardise


@pytest.fixture
def connection():
    """A DuckDB connection with the threads pinned."""
    with duckdb.connect() as connection:
        connection.execute("set threads = 2")
        yield connection


def people(seed=5, size=150):
    """Return (records, truth): every person once, every second one again with a slip in one field."""
    rng = np.random.default_rng(seed)
    firsts = ["anna", "bruno", "carla", "dario", "elena", "fabio", "giulia", "marco", "paola", "sara"]
    lasts = [
        a + b for a in ("ro", "bian", "ver", "ne", "fer", "gal") for b in ("ssi", "chi", "di", "ri", "lli")
    ]
    rows = []
    for person in range(size):
        first, last = firsts[rng.integers(10)], lasts[rng.integers(30)]
        born = str(np.datetime64("1950-01-01") + int(rng.integers(18_000)))
        mail, street = f"{first}.{last}{person}@mail.it", f"via {lasts[rng.integers(30)]} {rng.integers(90)}"
        rows.append((first, last, born, mail, street, person))
        if person % 2:
            slip = rng.integers(3)
            rows.append(
                (
                    first[:2] + first[3:] if slip == 0 else first,
                    last + "i" if slip == 1 else last,
                    born[:-1] + "7" if slip == 2 else born,
                    None if slip else mail,
                    street if slip else None,
                    person,
                )
            )
    names = ("first_name", "last_name", "birth_date", "email", "street", "person")
    table = pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)})
    return standardise(table.drop_columns(["person"])), table["person"].to_numpy()


@pytest.fixture(scope="module")
def matched():
    """Return (records, truth, matches) of one small table."""
    records, truth = people()
    with duckdb.connect() as connection:
        return records, truth, match_pairs(records, MatchConfig(), connection)


def test_one_person_written_twice_is_found_and_strangers_are_left_alone(matched):
    records, truth, matches = matched
    found = quality(cluster(records["record_id"], matches.pairs)["cluster"].to_pylist(), truth).pairwise
    assert found.precision == 1
    assert found.recall > 0.97


def test_the_weight_of_a_pair_is_what_its_fields_say_and_a_missing_value_says_nothing(matched):
    _, _, matches = matched
    pairs = matches.pairs.to_pandas()
    weights = matches.model.weights
    personal, home = (
        sum((pairs[f"weight_{one.field}"] for one in matches.compared if one.household is shared), start=0.0)
        for shared in (False, True)
    )
    rest = 1 - weights.match_share - weights.household_share
    against = np.log2(weights.household_share * 2**home + rest)
    expected = np.log2(weights.match_share) + personal + home - against
    np.testing.assert_allclose(pairs["match_weight"], expected, atol=1e-4)
    np.testing.assert_allclose(pairs["match_probability"], 1 / (1 + 2 ** -pairs["match_weight"]))
    assert (pairs["weight_email"][pairs["level_email"].isna()] == 0).all()
    assert pairs["level_email"].isna().any()


def test_the_same_table_in_another_order_gives_the_same_pairs(connection):
    records, _ = people(size=60)
    turned = records.take(np.random.default_rng(1).permutation(records.num_rows))
    config = MatchConfig(every_pair_up_to=0)
    once, again = (match_pairs(table, config, connection).pairs for table in (records, turned))
    assert once.drop_columns(["match_weight", "match_probability"]).equals(
        again.drop_columns(["match_weight", "match_probability"])
    )
    np.testing.assert_allclose(once["match_weight"].to_numpy(), again["match_weight"].to_numpy(), atol=1e-9)


def test_weights_learned_earlier_score_new_records_even_without_some_of_their_fields(matched, connection):
    records, learned = matched[0], matched[2].model
    few = records.slice(0, 40).drop_columns(["last_name"])
    few = few.set_column(0, "record_id", pa.array([str(number) for number in range(40)]))
    recall(connection, None, IdentityConfig())
    scored = match_new(connection, few, learned, MatchConfig())
    assert scored.model.weights is learned.weights
    assert scored.pairs["level_last_name"].null_count == scored.pairs.num_rows > 0


def test_households_that_share_everything_but_the_person_stay_apart(connection):
    rng = np.random.default_rng(2)
    rows = []
    for home in range(60):
        last, street, phone = (
            f"{'bcdfg'[home % 5]}o{home}ni",
            f"via {home * 7}",
            f"+39347{rng.integers(10**6, 10**7)}",
        )
        for first in rng.choice(
            ["anna", "bruno", "carla", "dario", "elena", "fabio", "gino"], 2, replace=False
        ):
            born = str(np.datetime64("1950-01-01") + int(rng.integers(18_000)))
            rows += [(first, last, born, street, phone, f"{home}{first}")] * (2 if home % 3 == 0 else 1)
    names = ("first_name", "last_name", "birth_date", "street", "phone", "person")
    table = pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)})
    records = standardise(table.drop_columns(["person"]))
    matches = match_pairs(records, MatchConfig(), connection)
    found = quality(
        cluster(records["record_id"], matches.pairs)["cluster"].to_pylist(), table["person"].to_pylist()
    )
    assert found.pairwise.f1 == 1
    assert matches.model.weights.household_share > 0.5 * matches.model.weights.match_share


def test_an_undrained_result_of_the_caller_does_not_matter_and_no_table_is_left(connection):
    records, _ = people(size=30)
    connection.execute("select * from range(100000)")
    match_pairs(records, MatchConfig(), connection)
    connection.fetchall()
    assert connection.execute("show all tables").fetchall() == []


def test_a_table_without_two_values_to_compare_is_refused_by_name(connection):
    records = standardise(pa.table({"email": ["a@b.it", None, None]}))
    with pytest.raises(NotEnoughDataError, match="No field to match on among record_id, email of 3 records"):
        match_pairs(records, MatchConfig(), connection)


@pytest.mark.parametrize("wrong", [{"match_probability": 1.0}, {"pairs_per_record": 0}, {"random_pairs": 0}])
def test_settings_that_cannot_work_are_refused_by_name(wrong):
    with pytest.raises(ConfigError, match=f"^{re.escape(next(iter(wrong)))}="):
        MatchConfig(**wrong)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "least"),
    [
        ("splink_fake_1000.csv", 0.935),
        ("febrl_dataset1.csv", 0.99),
        ("febrl_dataset2.csv", 0.99),
        ("febrl_dataset3.csv", 0.999),
    ],
)
def test_public_sets_are_resolved_better_than_a_stock_model_with_one_setting(
    file, least, real_data_dir, connection
):
    table = pa.csv.read_csv(
        real_data_dir / "identity" / file, convert_options=pa.csv.ConvertOptions(strings_can_be_null=True)
    )
    table = table.rename_columns([name.strip() for name in table.column_names])
    if "cluster" in table.column_names:
        truth = table["cluster"].to_pylist()
    else:
        truth = [re.sub(r"^rec-(\d+)-.*$", r"\1", name) for name in table["rec_id"].to_pylist()]
    records = standardise(table)
    matches = match_pairs(records, MatchConfig(), connection)
    found = quality(cluster(records["record_id"], matches.pairs)["cluster"].to_pylist(), truth)
    assert found.pairwise.f1 >= least

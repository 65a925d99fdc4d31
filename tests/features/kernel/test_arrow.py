"""What the reader of interactions accepts, and what it refuses with which words."""

import pyarrow as pa
import pytest

from features.rows import row, table
from sintonia.core.errors import InputError
from sintonia.features.kernel.arrow import histories

ROWS = [row("ann", 1), row("ann", 2, channel="web", kind=None), row("bob", 1, amount=None, opens_thread=None)]


def test_customers_are_the_runs_of_ordered_rows():
    ids, found = histories(table(ROWS), ["amount", "opens_thread"])
    assert ids.to_pylist() == ["ann", "bob"]
    assert found.starts.tolist() == [0, 2, 3]
    assert found.cells["amount"].values.tolist() == [100, 100, 0]
    assert found.cells["opens_thread"].values.tolist() == [True, True, False]


def test_a_null_kind_is_the_number_after_the_last():
    _, found = histories(table(ROWS), ["kind"])
    assert [*found.cells["kind"].labels, None][found.cells["kind"].values[1]] is None


def test_nulls_are_found_where_a_part_of_a_column_begins_within_a_byte():
    amounts = [None if day % 3 == 0 else 7 for day in range(1, 25)]
    rows = [row("ann", day, amount=amount) for day, amount in enumerate(amounts, 1)]
    _, found = histories(table(rows)[11:20], ["amount"])
    assert found.cells["amount"].missing.tolist() == [day % 3 == 0 for day in range(12, 21)]
    assert found.cells["amount"].values.tolist() == [0 if day % 3 == 0 else 7 for day in range(12, 21)]


@pytest.mark.parametrize("how", ["dictionary", "chunked", "both", "batch"])
def test_strings_may_be_dictionaries_and_tables_may_come_in_pieces(how):
    plain = table(ROWS)
    coded = {name: plain[name].dictionary_encode() for name in ("customer_id", "channel", "kind")}
    given = plain
    if how in ("dictionary", "both"):
        for name, column in coded.items():
            given = given.set_column(given.schema.get_field_index(name), name, column)
    if how in ("chunked", "both"):
        given = pa.concat_tables([_alone(given[:1]), _alone(given[1:2]), _alone(given[2:])])
    if how == "batch":
        (given,) = plain.to_batches()
    ids, found = histories(given, ["amount", "channel", "kind"])
    expected_ids, expected = histories(plain, ["amount", "channel", "kind"])
    assert ids.equals(expected_ids)
    assert found.starts.tolist() == expected.starts.tolist()
    for name in ("channel", "kind"):
        assert _labels(found, name) == _labels(expected, name)


def _alone(piece):
    """Return the piece with dictionaries of its own, as files written apart have."""
    columns = [column.cast(pa.string()).dictionary_encode() if _coded(column) else column for column in piece]
    return pa.table(columns, names=piece.column_names)


def _coded(column):
    return pa.types.is_dictionary(column.type)


def _labels(found, name):
    cells = found.cells[name]
    return [[*cells.labels, None][code] for code in cells.values]


def test_a_missing_column_is_named_with_the_nearest_there_is():
    renamed = table(ROWS).rename_columns({"amount": "amounts"})
    with pytest.raises(InputError, match="no column 'amount'; did you mean 'amounts'"):
        histories(renamed, ["amount"])


def test_money_in_fractions_is_refused():
    given = table(ROWS)
    floats = given.set_column(given.schema.get_field_index("amount"), "amount", pa.array([1.5, 2.0, 3.0]))
    with pytest.raises(InputError, match="'amount' is double; give it in whole units"):
        histories(floats, ["amount"])


def test_a_row_that_nobody_knows_since_when_is_refused():
    given = table(ROWS)
    nulls = pa.array([None, None, None], pa.timestamp("us"))
    unknown = given.set_column(given.schema.get_field_index("known_at"), "known_at", nulls)
    with pytest.raises(InputError, match="3 rows without 'known_at'"):
        histories(unknown, [])

"""What counts as a trace, in text and in tables of any type."""

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.data.privacy.traces import PLENTY, Traces

MARIA = Traces(
    words=frozenset(
        {"m.rossi@posta.it", "c2256a4745186091b", "via libertà 12", "+393331234567", "2946294645166"}
    ),
    columns={"card": frozenset({"17"}), "key": frozenset({"card:17"})},
    names={"name": frozenset({"rossi"}), "born": frozenset({"1976-01-14"})},
    unless=frozenset({"card"}),
)


@pytest.mark.parametrize(
    "text",
    [
        "m.rossi@posta.it",
        "Write to M.ROSSI@posta.it.",
        "crm:C2256A4745186091B-new",
        '{"street":"Via LIBERTÀ 12"}',
        "tel:+393331234567;",
        "a\nm.rossi@posta.it\nb",
    ],
)
def test_a_word_is_found_anywhere_in_any_case(text):
    assert MARIA.in_text(text)
    assert MARIA.rows(pa.table({"x": ["", text, None]})).tolist() == [False, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "anna.m.rossi@posta.it",
        "m.rossi@posta.ital",
        "via libertà 123",
        "C2256A4745186091BB",
        "rossi 1976-01-14",
    ],
)
def test_a_longer_word_is_another_word(text):
    assert not MARIA.in_text(text)
    assert not MARIA.rows(pa.table({"x": [text]})).any()


def test_short_identifiers_count_as_whole_cells_of_their_columns():
    table = pa.table({"card": ["17", " 17 ", "170", "x"], "n": [17] * 4})
    assert MARIA.rows(table).tolist() == [True, True, False, False]


def test_a_name_counts_in_its_column_where_no_identifier_says_whose_the_row_is():
    table = pa.table({"card": ["18", None, None, None], "name": ["Rossi", "ROSSI ", "Rossini", None]})
    assert MARIA.rows(table).tolist() == [False, True, False, False]
    assert MARIA.rows(pa.table({"born": [date(1976, 1, 14), None]})).tolist() == [True, False]
    assert not MARIA.rows(pa.table({"category": ["rossi"]})).any()
    assert MARIA.in_cells([("card", ""), ("name", "Rossi")])
    assert not MARIA.in_cells([("card", "18"), ("name", "Rossi")])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([2946294645166, 7, None]), [True, False, False]),
        (pa.array([["x", "m.rossi@posta.it"], [], None, ["y"]]), [True, False, False, False]),
        (pa.array([{"a": {"card": "17"}}, {"a": {"card": "18"}}]), [True, False]),
        (pa.array(["Via Libertà 12", "verdi", None]).dictionary_encode(), [True, False, False]),
        (pa.array([b"m.rossi@posta.it", b"\xff"]), [True, False]),
        (
            pa.array(['{"card": 17}', '{"card": 18}', '[{"name": "Rossi"}]', "{broken"]),
            [True, False, True, False],
        ),
        (pa.array([1.5, None]), [False, False]),
        (pa.array([[("k", "m.rossi@posta.it")], []], pa.map_(pa.string(), pa.string())), [True, False]),
    ],
)
def test_every_type_of_column_is_looked_into(values, expected):
    assert MARIA.rows(pa.table({"x": values})).tolist() == expected


def test_source_and_source_key_are_read_together():
    table = pa.table({"source": ["card", "crm"], "source_key": ["17", "17"]})
    assert MARIA.rows(table).tolist() == [True, False]


def test_no_traces_are_found_nowhere():
    assert not Traces().rows(pa.table({"x": ["", None, "a"]})).any()
    assert not Traces().in_text("anything")


words = st.text("abcàé019.+-", min_size=8, max_size=12)


@settings(deadline=None, max_examples=50)
@given(st.sets(words, min_size=1, max_size=5), st.text("abcàé019.+- ;\n", max_size=40))
def test_tables_and_text_agree(found, text):
    traces = Traces(words=frozenset(found))
    assert traces.rows(pa.table({"x": [text]})).tolist() == [traces.in_text(text)]
    assert traces.in_text(f"{text};{min(found)};")


def test_more_words_than_one_pattern_holds_are_all_found():
    many = [f"customer-{number:05d}" for number in range(2 * PLENTY + 1)]
    traces = Traces(words=frozenset(many))
    assert len(traces.patterns) == 3
    assert traces.rows(pa.table({"x": [*many, "customer-99999"]})).tolist() == [True] * len(many) + [False]

"""Rows that keep the contract are typed; rows that do not are kept with their reason."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.core.config import CsvConfig, EngineConfig, JoinConfig, SiloConfig
from sintonia.core.engine import connect
from sintonia.core.errors import ConfigError, InputError
from sintonia.data.sources.mapping import DateBounds, map_silo
from sintonia.data.sources.silos import SiloReport

BOUNDS = DateBounds(until=None, today=datetime(2026, 1, 1))
TICKETS = SiloConfig(
    path="tickets.csv",
    csv=CsvConfig(delimiter=";", decimal=","),
    time_zone="Europe/Rome",
    time_format="%d/%m/%Y %H:%M",
    identifiers={"card": "Tessera"},
    occurred_at="Data || ' ' || Ora",
    interactions={
        "kind": "CASE WHEN number(Importo) < 0 THEN 'return' ELSE 'purchase' END",
        "amount": "Importo",
    },
    constants={"channel": "store"},
)
HEADER = "Data;Ora;Tessera;Importo\n"


def mapped(
    tmp_path: Path, text: str, silo: SiloConfig = TICKETS, bounds: DateBounds = BOUNDS
) -> tuple[SiloReport, list]:
    (tmp_path / silo.path).write_text(text, encoding="utf-8")
    with connect(EngineConfig(), tmp_path / "workspace") as connection:
        report = map_silo(connection, "store", silo, tmp_path, bounds)
        rows = (
            connection.sql("SELECT * EXCLUDE (_file) FROM mapped_store ORDER BY _row")
            .to_arrow_table()
            .to_pylist()
        )
    return report, rows


def test_italian_ticket_becomes_utc_and_cents(tmp_path):
    report, rows = mapped(tmp_path, HEADER + "15/07/2025;10:30;77;1.234,50\n31/01/2025;09:00;77;-3,10\n")
    assert (report.rows, report.stored, report.rejected) == (2, 2, 0)
    assert rows[0]["occurred_at"] == datetime(2025, 7, 15, 8, 30)  # two hours ahead of UTC in summer
    assert rows[1]["occurred_at"] == datetime(2025, 1, 31, 8, 0)  # one in winter
    assert [row["i__amount"] for row in rows] == [123450, -310]
    assert [row["i__kind"] for row in rows] == ["purchase", "return"]
    assert report.kinds == ("purchase", "return")


@pytest.mark.parametrize("amount", ["Importo", "number(Importo)", "number(Importo) + number('0,00')"])
def test_an_amount_is_read_once_however_it_is_asked_for(tmp_path, amount):
    silo = replace(TICKETS, interactions={**TICKETS.interactions, "amount": amount})
    _, rows = mapped(tmp_path, HEADER + "15/07/2025;10:30;77;1.234,50\n31/01/2025;09:00;77;-3,00\n", silo)
    assert [row["i__amount"] for row in rows] == [123450, -300]


def test_times_may_be_computed_from_numbers(tmp_path):
    end = "strptime(Data || ' ' || Ora, '%d/%m/%Y %H:%M') + to_seconds(number(Importo))"
    silo = replace(TICKETS, time_format=None, time_zone="UTC", occurred_at=end, known_at=end)
    report, rows = mapped(tmp_path, HEADER + "15/07/2025;10:30;77;90\n", silo)
    assert (report.stored, report.rejected) == (1, 0)
    assert rows[0]["occurred_at"] == rows[0]["_known_at"] == datetime(2025, 7, 15, 10, 31, 30)


def test_a_table_without_a_key_is_known_by_its_rows_numbers(tmp_path):
    silo = replace(TICKETS, identifiers={"client": "_row"})
    _, rows = mapped(tmp_path, HEADER + "15/07/2025;10:30;;1,50\n15/07/2025;10:30;;1,50\n", silo)
    assert [row["id__client"] for row in rows] == ["1", "2"]


def test_the_report_tells_whether_the_mapping_says_when_a_row_was_known(tmp_path):
    assert not mapped(tmp_path, HEADER)[0].own_known_at
    assert mapped(tmp_path, HEADER, replace(TICKETS, known_at="Data"))[0].own_known_at


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("31/02/2025;09:00;77;1,00", "time missing or not understood"),
        (";;77;1,00", "time missing or not understood"),
        ("inf;;77;1,00", "time missing or not understood"),
        ("15/07/2025;10:30;;1,00", "no identifier"),
        ("15/07/2025;10:30; ;1,00", "no identifier"),
        ("15/07/2099;10:30;77;1,00", "time in the far future"),
        ("15/07/2025;10:30;77;NaN", "amount not understood"),
        ("15/07/2025;10:30;77;gratis", "amount not understood"),
        ("15/07/2025;10:30;77", "line not readable"),
        ("15/07/2025;10:30;77;1,00;extra", "line not readable"),
    ],
)
def test_broken_row_is_rejected_with_its_reason(tmp_path, line, reason):
    report, rows = mapped(tmp_path, HEADER + "15/07/2025;10:30;77;1,00\n" + line + "\n")
    assert (report.rows, report.stored, report.rejected) == (2, 1, 1)
    assert dict(report.reasons) == {reason: 1}
    assert rows[-1]["raw"] is not None


def test_condition_says_which_rows_of_a_file_are_the_silos_and_a_broken_line_is_not_lost(tmp_path):
    text = "card,opened,closed date\n1,2025-01-01,2025-01-05\n2,2025-01-02,\n3,2025-01-03\n"
    silo = SiloConfig(
        path="cases.csv",
        where='"closed date" IS NOT NULL',
        identifiers={"card": "card"},
        occurred_at="closed date",
        constants={"channel": "phone", "kind": "resolve"},
        interactions={},
    )
    report, rows = mapped(tmp_path, text, silo)
    assert [row["id__card"] for row in rows if row["reason"] is None] == ["1"]
    assert (report.rows, report.stored, dict(report.reasons)) == (2, 1, {"line not readable": 1})


def test_condition_over_an_unknown_column_names_the_nearest(tmp_path):
    silo = SiloConfig(path="t.csv", where="closd = 1", identifiers={"card": "card"}, occurred_at="closed")
    with pytest.raises(ConfigError, match="no column 'closd'; did you mean 'closed'"):
        mapped(tmp_path, "card,closed\n1,2025-01-01\n", silo)


def test_row_without_an_amount_is_no_broken_row(tmp_path):
    report, rows = mapped(tmp_path, HEADER + "15/07/2025;10:30;77;\n")
    assert report.stored == 1
    assert rows[0]["i__amount"] is None


def test_unknown_kind_and_channel_are_rejected_by_name(tmp_path):
    silo = SiloConfig(
        path="events.csv",
        identifiers={"cookie": "cookie"},
        occurred_at="at",
        interactions={"kind": "event", "channel": "place"},
        values={"kind": {"page": "view"}},
    )
    text = "cookie,at,event,place\nc,2025-01-01,page,web\nc,2025-01-01,pagee,web\nc,2025-01-01,view,moon\n"
    report, _ = mapped(tmp_path, text, silo)
    assert dict(report.reasons) == {"unknown channel moon": 1, "unknown kind pagee": 1}


def test_row_never_arrives_before_it_occurred(tmp_path):
    silo = SiloConfig(
        path="events.csv",
        identifiers={"cookie": "cookie"},
        occurred_at="at",
        known_at="arrived",
        constants={"kind": "view", "channel": "web"},
        interactions={"item_id": "item"},
    )
    _, rows = mapped(tmp_path, "cookie,at,arrived,item\nc,2025-01-02,2025-01-01,x\n", silo)
    assert rows[0]["arrived_at"] == datetime(2025, 1, 2)


def test_rows_after_until_are_not_read_and_stand_apart(tmp_path):
    bounds = DateBounds(until=datetime(2025, 7, 1), today=datetime(2026, 1, 1))
    text = HEADER + "30/06/2025;10:30;77;1,00\n15/07/2025;10:30;77;1,00\n"
    report, _ = mapped(tmp_path, text, bounds=bounds)
    assert (report.rows, report.stored, report.rejected, report.after_until) == (1, 1, 0, 1)
    assert report.data_until == datetime(2025, 7, 1)  # the newest row comes within a day of it


def test_until_is_not_believed_when_the_data_end_long_before(tmp_path):
    bounds = DateBounds(until=datetime(2025, 12, 1), today=datetime(2026, 1, 1))
    report, _ = mapped(tmp_path, HEADER + "15/06/2025;10:30;77;1,00\n", bounds=bounds)
    assert report.data_until == datetime(2025, 6, 15, 8, 30)


def test_own_offset_wins_over_the_silo_zone(tmp_path):
    silo = SiloConfig(
        path="events.csv",
        time_zone="Europe/Rome",
        identifiers={"cookie": "cookie"},
        occurred_at="at",
        interactions={"kind": "'view'", "channel": "'web'"},
    )
    text = "cookie,at\nc,2025-07-01T10:00:00Z\nc,2025-07-01T10:00:00-05:00\nc,2025-07-01 10:00:00\n"
    _, rows = mapped(tmp_path, text, silo)
    assert [row["occurred_at"].hour for row in rows] == [10, 15, 8]


def test_json_lines_with_a_broken_line_and_a_rare_key(tmp_path):
    silo = SiloConfig(
        path="log.jsonl",
        format="jsonl",
        identifiers={"email": "email", "crm": "crm"},
        occurred_at="at",
        interactions={"kind": "type"},
        constants={"channel": "email"},
    )
    text = '{"email": "Ann@X.org ", "at": "2025-01-01", "type": "open"}\n{"email": broken\n'
    text += '{"crm": "7", "at": "2025-01-02", "type": "click"}\n'
    report, rows = mapped(tmp_path, text, silo)
    assert (report.rows, report.stored, dict(report.reasons)) == (3, 2, {"line not readable": 1})
    assert [row["_keys"] for row in rows if row["reason"] is None] == [["email:ann@x.org"], ["crm:7"]]


def test_join_adds_columns_and_never_rows(tmp_path):
    (tmp_path / "items.csv").write_text("item,category\na,shoes\na,boots\nb,hats\n")
    silo = SiloConfig(
        path="events.csv",
        identifiers={"cookie": "cookie"},
        occurred_at="at",
        join={"items": JoinConfig(path="items.csv", columns=["item"])},
        interactions={"category": "category", "kind": "'view'", "channel": "'web'"},
    )
    report, rows = mapped(tmp_path, "cookie,at,item\nc,2025-01-01,a\nc,2025-01-01,b\nc,2025-01-01,z\n", silo)
    assert report.stored == 3
    assert [row["i__category"] for row in rows] == ["boots", "hats", None]


def test_misspelt_column_names_the_nearest(tmp_path):
    silo = SiloConfig(path="tickets.csv", identifiers={"card": "Tesera"}, occurred_at="Data")
    with pytest.raises(ConfigError, match="no column 'Tesera'; did you mean 'Tessera'"):
        mapped(tmp_path, "Data,Tessera\n2025-01-01,7\n", silo)


@pytest.mark.parametrize(
    "text", ["(SELECT 1)", "SUM(Importo)", "ROW_NUMBER() OVER ()", "DROP TABLE x", "a b c ("]
)
def test_expression_that_looks_beyond_its_row_is_refused(tmp_path, text):
    silo = SiloConfig(path="tickets.csv", identifiers={"card": text}, occurred_at="Data")
    with pytest.raises(ConfigError, match="Silo 'store'"):
        mapped(tmp_path, "Data,Importo\n2025-01-01,7\n", silo)


def test_missing_file_is_said_with_what_is_there(tmp_path):
    (tmp_path / "tickets.csv").write_text("a\n1\n")
    silo = SiloConfig(path="ticket.csv", identifiers={"card": "a"})
    with (
        connect(EngineConfig(), tmp_path / "workspace") as connection,
        pytest.raises(InputError, match=r"tickets\.csv"),
    ):
        map_silo(connection, "store", silo, tmp_path, BOUNDS)


CELLS = st.sampled_from(
    ["", " ", "77", "x", "15/07/2025", "10:30", "1,00", "-2", "NaN", "15/07/2199", '"', "é", "inf"]
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=5).map(";".join), max_size=8))
def test_rows_in_are_rows_stored_and_rejected(tmp_path_factory, lines):
    """Law 3, for whatever a till may print: every line that holds anything is stored or rejected."""
    whole = [line for line in lines if line.strip() and '"' not in line]
    report, _ = mapped(tmp_path_factory.mktemp("till"), HEADER + "".join(line + "\n" for line in whole))
    assert report.rows == len(whole) == report.stored + report.rejected
    assert sum(report.reasons.values()) == report.rejected

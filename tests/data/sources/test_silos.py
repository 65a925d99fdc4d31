"""Rows of a silo, whatever its files are written in: formats that ship, and a reader of the user's own."""

import pytest

from builder import build_store
from sintonia.core.config import SiloConfig
from sintonia.core.errors import ConfigError, InputError

READER = '''
"""Fixed columns: card in the first 4 characters, the day in the next 10, cents in the rest."""

import pyarrow as pa


def read(path):
    lines = path.read_text().splitlines()
    if not lines:
        raise ValueError("the file is empty")
    return pa.table(
        {
            "card": [line[:4] for line in lines],
            "day": [line[4:14] for line in lines],
            "price": [int(line[14:]) / 100 for line in lines],
        }
    )


def nothing(path):
    return 7
'''


def fixed_columns(tmp_path, name: str = "read") -> SiloConfig:
    reader = tmp_path / "fixed.py"
    reader.write_text(READER)
    return SiloConfig(
        path="till-*.txt",
        format=f"{reader}:{name}",
        identifiers={"card": "card"},
        occurred_at="day",
        interactions={"amount": "price"},
        constants={"kind": "purchase", "channel": "store"},
    )


def test_a_format_of_the_users_own_is_read_by_one_function_of_one_file(tmp_path):
    (tmp_path / "till-1.txt").write_text("00012025-03-01  1250\n00022025-03-02   300\n")
    (tmp_path / "till-2.txt").write_text("00012025-04-01  9999\n")
    store = build_store(tmp_path, {"till": fixed_columns(tmp_path)})
    rows = [row for path in store.buckets for row in store.read_bucket(path).to_pylist()]
    amounts = sorted((f"{row['occurred_at']:%m-%d}", row["amount"]) for row in rows)
    assert amounts == [("03-01", 1250), ("03-02", 300), ("04-01", 9999)]
    assert len({row["customer_id"] for row in rows}) == 2


def test_what_a_reader_of_the_users_own_cannot_do_is_one_line(tmp_path):
    (tmp_path / "till-1.txt").write_text("")
    with pytest.raises(InputError, match=r"cannot read till-1.txt: ValueError: the file is empty"):
        build_store(tmp_path, {"till": fixed_columns(tmp_path)})
    with pytest.raises(ConfigError, match="gave a int; return a table"):
        build_store(tmp_path, {"till": fixed_columns(tmp_path, "nothing")})
    with pytest.raises(ConfigError, match="has no function 'raed'; did you mean 'read'"):
        build_store(tmp_path, {"till": fixed_columns(tmp_path, "raed")})

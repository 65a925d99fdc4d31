"""A small store with its keys, and lists in files, for the tests of lists."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder import build_store
from sintonia.core.config import EngineConfig, SiloConfig, SourceConfig
from sintonia.core.engine import connect
from sintonia.data.store import Store
from sintonia.serving.lists import CustomerList, read_list
from sintonia.serving.lists.rows import KeyIndex

SILO = SiloConfig(
    path="tickets.csv",
    identifiers={"card": "Tessera", "email": "mail"},
    occurred_at="at",
    interactions={"kind": "'purchase'"},
    contacts={"phone": "tel", "email": "other"},
    constants={"channel": "store"},
)
SOURCE = SourceConfig(name="toy", silos={"tickets": SILO})
TICKETS = """Tessera,mail,other,tel,at
007,Ann@x.org,ann.rossi+shop@gmail.com,333 123 4567,2025-01-01
008,,,+39 02 1234567,2025-01-02
009,,,02 1234567,2025-01-03
010,cleo@x.org,,,2025-01-03
"""


def toy_store(root: Path) -> Store:
    """Return a store of four customers: two share a telephone number."""
    (root / "tickets.csv").write_text(TICKETS)
    return build_store(root, {"tickets": SILO})


@contextmanager
def keys_of(store: Store, root: Path) -> Iterator[KeyIndex]:
    """Yield the keys of the store."""
    with connect(EngineConfig(), root) as connection:
        yield KeyIndex(connection, store, SOURCE, "IT")


def listed(folder: Path, raw: str | bytes, name: str = "clienti, è nuovi (1).csv") -> CustomerList:
    """Return the list in a file of these bytes."""
    path = folder / name
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return read_list(path)


def rows(customers: CustomerList, at_a_time: int = 3) -> list[tuple[object, ...]]:
    """Return all rows of a list, read a few at a time."""
    return [row for chunk in customers.chunks(at_a_time) for row in chunk.rows]


def cards_csv(cards):
    """Return a list of cards as CSV."""
    return "card\n" + "".join(f"{card}\n" for card in cards)

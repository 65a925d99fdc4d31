"""Relations between functions: what is created is what is declared, in builds, matching and explanations."""

from created_relations import differences, record_created
from data.identity.test_blocking import candidates
from registrations import crosswalk, write_crm
from sintonia.core.relation import Relation
from sintonia.data.identity import changes, relations
from sintonia.data.identity.explanation import explain
from sintonia.data.store import open_store
from sintonia.data.store.write import LOCATED

DECLARED = {value.name for value in vars(relations).values() if isinstance(value, Relation)} | {LOCATED.name}


def test_every_declared_relation_is_created_with_the_columns_it_declares(tmp_path, monkeypatch):
    created = record_created(monkeypatch)
    monkeypatch.setattr(changes, "MOST_CHANGED", 1e9)
    lines = write_crm(tmp_path, people=12)
    crosswalk(tmp_path, lines[:-3])
    later = crosswalk(tmp_path, [line for line in lines if not line.startswith("A1,")])
    explain(open_store(tmp_path / "workspace").folder, next(iter(later.values()))["customer_id"])
    rows = [("ida", "gallo", "1980-01-02"), ("ida", "gallo", None)]
    assert candidates(rows) == [(1, 2)]
    assert [pair[:2] for pair in candidates(rows, known=1, limits={"name": 2})] == [(1, 2)]
    assert differences(created) == set()
    assert DECLARED - created.keys() == set()

"""Customers under another name: the same within a workspace, unknown outside."""

from sintonia.pseudonyms import known_as, pseudonyms, workspace_key


def test_a_workspace_keeps_its_key_and_another_has_another(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert workspace_key(first) == workspace_key(first)
    assert workspace_key(first) != workspace_key(second)
    assert pseudonyms(workspace_key(first), ["C1"]) != pseudonyms(workspace_key(second), ["C1"])


def test_a_forgotten_customer_is_found_under_the_names_of_the_runs(tmp_path):
    assert known_as(tmp_path, ["C1"]) == frozenset()
    named = pseudonyms(workspace_key(tmp_path), ["C1", "C2"])
    assert known_as(tmp_path, ["C2", "C1"]) == frozenset(named)
    assert "C1" not in "".join(named)

"""Progress is silent unless standard error is a terminal, and changes nothing of what is done."""

import io

import pytest

from sintonia.core.progress import step, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_every_item_comes_through_in_its_order(monkeypatch, stream):
    monkeypatch.setattr("sys.stderr", stream())
    assert list(track(range(5), "Counting", 5)) == [0, 1, 2, 3, 4]


def test_only_a_terminal_sees_a_bar(monkeypatch, capsys):
    terminal = Terminal()
    with step("Fitting"):
        assert list(track([1], "Counting")) == [1]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr", terminal)
    with step("Fitting"):
        pass
    assert "Fitting" in terminal.getvalue()


def test_an_error_in_a_step_passes_through(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    with pytest.raises(ZeroDivisionError), step("Dividing"):
        _ = 1 / 0

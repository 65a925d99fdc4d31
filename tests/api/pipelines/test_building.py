"""What a build says of its silos, beyond their rows."""

from dataclasses import replace
from pathlib import Path

import pytest

from sintonia.api.pipelines import build
from sintonia.core.config import BuildSettings, SiloConfig, SourceConfig

CALLS = SiloConfig(
    path="calls.csv",
    identifiers={"card": "card"},
    occurred_at="at",
    interactions={"kind": "kind"},
    constants={"channel": "phone"},
)
VISITS = replace(CALLS, path="visits.csv", constants={"channel": "web"})
CHATS = replace(
    CALLS, path="chats.csv", interactions={"kind": "kind", "sentiment": "mood"}, constants={"channel": "chat"}
)


@pytest.fixture
def said(tmp_path: Path):
    """A function from silos to what their build says of sentiment."""
    (tmp_path / "calls.csv").write_text("card,at,kind\n1,2025-01-02T10:00,complaint\n")
    (tmp_path / "visits.csv").write_text("card,at,kind\n1,2025-01-02T11:00,view\n")
    (tmp_path / "chats.csv").write_text("card,at,kind,mood\n1,2025-01-02T12:00,contact,-0.5\n")

    def of(**silos: SiloConfig) -> tuple[list[str], list[str]]:
        source = SourceConfig(name="toy", root=str(tmp_path), today="2026-01-01", silos=silos)
        figures = build(BuildSettings(workspace=str(tmp_path / "workspace"), source=source))
        return figures["without_sentiment"], [line for line in figures["say"] if "sentiment" in line]

    return of


def test_a_build_says_when_no_silo_has_a_sentiment(said):
    assert said(calls=CALLS, visits=VISITS) == (
        ["calls", "visits"],
        ["No silo maps sentiment: features that need it are missing, and not 0."],
    )


def test_a_build_names_the_silos_in_which_customers_speak_without_one(said):
    assert said(calls=CALLS, visits=VISITS, chats=CHATS) == (
        ["calls"],
        [
            "Silo calls maps no sentiment: features that need it do not see its rows, which are not counted as 0."
        ],
    )


def test_a_build_says_nothing_where_every_voice_has_one(said):
    assert said(visits=VISITS, chats=CHATS) == ([], [])

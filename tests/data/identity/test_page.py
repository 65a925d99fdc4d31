"""The page on a golden record: what it says, that it asks for nothing, and that nobody is on it."""

import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from sintonia.api.pipelines import identity
from sintonia.core.config import IdentityConfig, IdentitySettings
from sintonia.data.identity.quality import quality
from sintonia.data.identity.report import (
    Example,
    IdentityReport,
    agreement,
    bars,
    render_identity_page,
    tied,
    waiting,
)

FIRST = ("Maria", "Luca", "Giorgia", "Paolo", "Chiara", "Dario", "Elena", "Franco", "Ida", "Nicola")
LAST = ("Rossi", "Bianchi", "Barbieri", "Gallo", "Marchetti", "Serra", "Fontana")


def people(many: int = 40) -> str:
    """Every third person is there twice, with a slip in the last name."""
    lines = ["id,given_name,surname,date_of_birth,email,phone,who"]
    for n in range(many):
        first, last = FIRST[n % 10], LAST[n % 7]
        rest = f"19{50 + n}-0{n % 9 + 1}-1{n % 10},{first}.{last}{n}@posta.it,+39347{n * 7919:07d},{n}"
        lines.append(f"A{n},{first},{last},{rest}")
        if n % 3 == 0:
            lines.append(f"B{n},{first},{last[:-1]},{rest}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The figures and the page of a file of people."""
    path = tmp_path_factory.mktemp("people") / "people.csv"
    path.write_text(people())
    return identity(IdentitySettings(records=str(path), truth="who", identity=IdentityConfig())), path


def plain(**changes) -> IdentityReport:
    return IdentityReport(
        **{"source": "toy", "what": "identifiers", "records": 7, "sizes": {1: 2, 5: 1}, **changes}
    )


def test_the_page_lies_beside_the_records_and_is_named(written):
    figures, path = written
    assert figures["files"] == [str(path.with_name("people-identity.html"))]
    assert f"  {figures['files'][0]}" in figures["say"]
    page = Path(figures["files"][0]).read_text()
    assert "54 person records are 40 customers" in page


def test_nobody_is_on_the_page(written):
    """Every value of the file, decoded from HTML and JSON, as typed and as the matcher compares it."""
    figures, path = written
    page = Path(figures["files"][0]).read_text()
    ours = page[: page.index("<script>")] + page[page.rindex("<script>") :]
    text = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), unescape(ours)).lower()
    for line in path.read_text().splitlines()[1:]:
        for value in line.split(",")[1:-1]:
            assert not re.search(rf"(?<!\w){re.escape(value.lower())}(?!\w)", text), value
    assert "m**** / m****" in text


def test_the_same_records_give_the_same_bytes_wherever_they_go(written, tmp_path):
    figures, path = written
    out = tmp_path / "deep" / "other.html"
    identity(IdentitySettings(records=str(path), truth="who", identity=IdentityConfig(), out=str(out)))
    assert out.read_bytes() == Path(figures["files"][0]).read_bytes()


def test_a_page_without_a_matcher_has_no_script():
    page = render_identity_page(plain(examples={"shared": [Example("phone +3***", "2 ties refused")]}))
    assert "<script" not in page
    assert "script-src" not in page
    assert "phone +3***" in page


def test_what_a_silo_wrote_cannot_become_markup():
    page = render_identity_page(plain(examples={"held": [Example("<b>x</b>", "<script>", 0.9)]}))
    assert "<b>x" not in page
    assert "<script>" not in page


def test_more_than_a_few_findings_unfold():
    page = render_identity_page(
        plain(examples={"held": [Example(f"crm:{n} and crm:x", "why") for n in range(7)]})
    )
    assert "2 more</summary>" in page
    assert page.index("crm:4 and") < page.index("2 more</summary>") < page.index("crm:5 and")


def test_the_verdict_says_what_is_known():
    assert agreement(plain()).headline == "Not compared with any truth"
    found = agreement(plain(quality=quality(["x", "x", "y"], ["p", "p", "p"])))
    assert found.headline == "Pairwise F1 0.500 against the truth"
    assert tied(plain()).headline == "1 of 3 customers unite several"
    assert waiting(plain()).state == "good"
    assert waiting(plain(findings={"held": 4, "shared": 2})).headline == "4 merges wait for a person"


def test_bars_are_as_long_as_their_share_of_the_longest():
    assert [bar.length for bar in bars({"a": 4, "b": 1, "c": 0})] == [100.0, 25.0, 0.0]
    assert bars({}) == []


@pytest.mark.browser
def test_a_browser_draws_every_chart_offline(written, tmp_path):
    chromium = shutil.which("chromium") or pytest.skip("needs Chromium")
    log = tmp_path / "net.json"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--enable-logging=stderr"]
    options += ["--disable-background-networking", "--disable-component-update", "--virtual-time-budget=9000"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--log-net-log={log}"]
    page = Path(written[0]["files"][0])
    seen = subprocess.run(
        [chromium, *options, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in seen.stderr
    assert set(re.findall(r'"initiator":"([^"]*)"', log.read_text())) - {"not an origin"} == set()
    for name in ("weights", "pairs", "m-u", "waterfall"):
        assert re.search(rf'id="{name}"[^>]*>.{{0,400}}<svg', seen.stdout, re.DOTALL), name
    assert "cannot be drawn" not in seen.stdout.split("<script>")[0]

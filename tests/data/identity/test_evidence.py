"""What a build kept of its matching, shown: its page with charts, a customer explained, nobody named."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from registrations import crosswalk, write_crm
from sintonia.api.pipelines import identity
from sintonia.core.config import IdentitySettings
from sintonia.data.identity.evidence import nearest


@pytest.mark.parametrize(("probability", "first"), [(0.5, [0.25, -1.0]), (0.999, [9.0, 12.0])])
def test_the_least_certain_pairs_are_those_nearest_to_the_border(probability, first):
    """0.999 is a border at 10 bits."""
    pairs = pa.table({"match_weight": np.array([12.0, 0.25, -1.0, 9.0])})
    assert nearest(pairs, probability, 2)["match_weight"].to_pylist() == first


def test_what_was_built_is_reported_with_its_charts_and_explained_without_anybody_in_it(tmp_path):
    lines = write_crm(tmp_path)
    lines[2] = lines[2].replace("1950-01-01", "1987-11-24")
    owners = crosswalk(tmp_path, lines)
    workspace = str(tmp_path / "workspace")
    figures = identity(IdentitySettings(workspace=workspace))
    page = Path(figures["files"][0])
    assert page == tmp_path / "workspace/identity/report.html"
    assert figures["findings"]["held"] == 1
    assert figures["rules"]["match"] == 13
    page_text = page.read_text()
    assert "crm:A0 and crm:B0" in page_text
    assert '"waterfall": {' in page_text
    told = identity(IdentitySettings(workspace=workspace, customer="crm:B3"))
    assert told["customer_id"] == owners["A3"]["customer_id"]
    (match,) = [tie for tie in told["ties"] if tie["rule"] == "match"]
    assert {match["left"], match["right"]} == {"crm:A3", "crm:B3"}
    assert match["known_at"] == "2025-03-04T00:00:00"
    weights = sum(one["weight"] for one in match["pair"]["agreements"])
    assert match["pair"]["match_weight"] < weights
    (held,) = identity(IdentitySettings(workspace=workspace, customer="email:altra0@mail.it"))["held"]
    assert {held["left"], held["right"]} == {"crm:A0", "crm:B0"}
    ours = page_text[: page_text.index("<script>")] + page_text[page_text.rindex("<script>") :]
    for said in (ours, json.dumps(told), "\n".join(told["say"])):
        assert not [
            word for word in ("Fontana", "fontana", "maria.rossi", "altra0", "1987-11-24") if word in said
        ]

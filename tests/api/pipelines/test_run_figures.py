"""What a verb prints of its work."""

from pathlib import Path

from sintonia.api.pipelines.building import simulate_figures
from sintonia.synthetic.simulate import SimulationSummary


def test_numbered_parts_of_one_table_share_a_line_and_the_figures_name_them_all():
    parts = tuple(
        Path("silos") / name
        for name in ("web/events_0000.csv", "web/events_0001.csv", "crm/registrations_0000.csv")
    )
    figures = simulate_figures(SimulationSummary(20_000, {"web": 3, "crm": 1}, parts, Path("truth")))
    assert figures["say"][3:] == [
        "Files:",
        "  silos/web/events_0000.csv to events_0001.csv, 2 files",
        "  silos/crm/registrations_0000.csv",
        "  truth",
    ]
    assert figures["files"] == [*map(str, parts), "truth"]

"""What a demonstration says of all its steps."""

from collections.abc import Sequence
from pathlib import Path

from sintonia.api.reports.figures import FOR_PEOPLE, Figures, file_lines, texts


def demo_figures(steps: dict[str, Figures], made: Sequence[Path], tracking_uri: str) -> Figures:
    """Return every step's figures, all files, and what to open next."""
    say = []
    for name, figures in steps.items():
        lines = figures["say"]
        say += [f"--- sintonia {name}", *(lines[: lines.index("Files:")] if "Files:" in lines else lines)]
    files = list(
        dict.fromkeys([*(file for figures in steps.values() for file in figures["files"]), *texts(made)])
    )
    say += ["", *file_lines([Path(file) for file in files])]
    say += ["", "Open next:"]
    for file in (file for file in files if file.endswith(".html")):
        what = "the list on one page" if file.endswith("-scored.html") else "the review"
        say.append(f"  {file:<44} {what}, in a browser")
    say += [
        f"  {file:<44} the scored list, in a spreadsheet" for file in files if file.endswith("-scored.csv")
    ]
    say += [f"  mlflow ui --backend-store-uri {tracking_uri}   the runs and models"]
    told = {
        name: {key: value for key, value in figures.items() if key not in FOR_PEOPLE}
        for name, figures in steps.items()
    }
    return {"steps": told, "files": files, "say": say}

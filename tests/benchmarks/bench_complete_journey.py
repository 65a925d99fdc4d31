"""Lapse of grocery households in the next 28 days, out of time: the model beside a recency rule and an RFM logistic.

Run `python tests/benchmarks/bench_complete_journey.py`. The data is found as `sintonia build source=complete_journey`
finds it (SINTONIA_DATA or the extra `samples`), else in ../shared/data. Each test date is judged by a model trained on
dates whose labels ended before it.
"""

import os
import tempfile
from pathlib import Path

from sintonia import cli

TEST_DATES = ("2017-08-27", "2017-09-24")
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def main() -> None:
    """Build the store once, then train for every test date and print the three models side by side."""
    if SHARED.is_dir():
        os.environ.setdefault("SINTONIA_DATA", str(SHARED))
    with tempfile.TemporaryDirectory() as folder:
        place = f"workspace={folder}"
        cli.main(["build", "source=complete_journey", place])
        for date in TEST_DATES:
            print(f"\n--- test as of {date}")
            cli.main(["train", "experiment=complete_journey", place, f"split.test_as_of=[{date}]"])


if __name__ == "__main__":
    main()

"""Print how well and how fast person records are resolved, with one setting, against a stock Splink model.

    PYTHONPATH=src python tests/benchmarks/bench_identity.py [--people 1000]

Public sets come from SINTONIA_DATA or ../shared/data. The last row is drawn here: `--people` persons with ten
records each on average, heavy errors in every field, siblings who share surname, birth place and postcode.
"""

import argparse
import os
import re
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv

from sintonia.data.identity.grouping import cluster
from sintonia.data.identity.match_model import MatchConfig, match_pairs
from sintonia.data.identity.quality import quality
from sintonia.data.identity.standardise import standardise

STOCK = {"splink_fake_1000": 0.920, "febrl_dataset3": 0.9989}
"""Best pairwise F1 over all thresholds of the model in Splink's tutorial."""


def public_sets(folder: Path) -> Iterator[tuple[str, pa.Table, list[str]]]:
    """Yield name, records and truth of the public sets."""
    for path in (folder / "splink_fake_1000.csv", *sorted(folder.glob("febrl_dataset*.csv"))):
        options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
        table = pyarrow.csv.read_csv(path, convert_options=options)
        table = table.rename_columns([name.strip() for name in table.column_names])
        if "cluster" in table.column_names:
            yield path.stem, table, [str(label) for label in table["cluster"].to_pylist()]
        else:
            yield path.stem, table, [re.sub(r"^rec-(\d+)-.*$", r"\1", n) for n in table["rec_id"].to_pylist()]


def slip(rng: np.random.Generator, text: str) -> str:
    """Return the text with a letter wrong, lost, added or swapped with its neighbour."""
    at, letter = int(rng.integers(max(len(text) - 1, 1))), "abcdefghilmnoprstuvz"[rng.integers(20)]
    ways = (
        text[:at] + letter + text[at + 1 :],
        text[:at] + text[at + 1 :],
        text[:at] + letter + text[at:],
        text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :],
    )
    return ways[rng.integers(4)]


def heavy_errors(persons: int, seed: int = 0) -> tuple[str, pa.Table, list[str]]:
    """Return name, records and truth of a drawn set of people long dead, badly transcribed."""
    rng = np.random.default_rng(seed)
    syllables = [
        "ba",
        "cor",
        "dan",
        "el",
        "fin",
        "gra",
        "hol",
        "is",
        "jo",
        "ken",
        "lor",
        "mar",
        "nel",
        "or",
        "pet",
    ]

    def words(count: int, parts: int) -> list[str]:
        drawn = {"".join(rng.choice(syllables, parts)): None for _ in range(count * 3)}
        return list(drawn)[:count]

    def pick(values: list[str], skew: float) -> list[str]:
        share = 1 / np.arange(1, len(values) + 1) ** skew
        return [values[i] for i in rng.choice(len(values), persons, p=share / share.sum())]

    pools = {"first_name": words(200, 2), "surname": words(1500, 3), "birth_place": words(300, 3)}
    pools |= {
        "occupation": words(60, 4),
        "postcode": [f"{a}{n} {b}" for a in syllables for n in range(9) for b in range(40)],
    }
    true = {name: pick(values, 0.7 if name != "postcode" else 0.0) for name, values in pools.items()}
    born = np.datetime64("1800-01-01") + rng.integers(0, 47_000, persons)
    for sibling in np.flatnonzero(rng.random(persons) < 0.1):
        other = int(rng.integers(persons))
        for name in ("surname", "birth_place", "postcode"):
            true[name][sibling] = true[name][other]
    missing = {"first_name": 0.06, "surname": 0.02, "birth_place": 0.15, "postcode": 0.2, "occupation": 0.3}
    wrong = {"first_name": 0.08, "surname": 0.03, "birth_place": 0.1, "postcode": 0.2, "occupation": 0.1}
    rows: dict[str, list[str | None]] = {name: [] for name in (*pools, "dob")}
    people = np.repeat(np.arange(persons), 1 + rng.poisson(9, persons))
    for person in people.tolist():
        for name, pool in pools.items():
            value = pool[rng.integers(len(pool))] if rng.random() < wrong[name] else true[name][person]
            value = slip(rng, value) if rng.random() < 0.11 else value
            rows[name].append(None if rng.random() < missing[name] else value)
        rows["dob"].append(_misread(rng, born[person]))
    return "heavy_errors (drawn)", pa.table(rows), [str(person) for person in people.tolist()]


def _misread(rng: np.random.Generator, born: np.datetime64) -> str | None:
    chance, text = rng.random(), str(born)
    if chance < 0.15:
        return None
    if chance < 0.24:
        return text[:4] + "-01-01"
    if chance < 0.30:
        return str(born + int(rng.integers(-40, 40)))
    if chance < 0.35:
        return f"{int(text[:4]) + int(rng.integers(-10, 11))}{text[4:]}"
    return slip(rng, text) if chance < 0.39 else text


def report(name: str, table: pa.Table, truth: list[str]) -> None:
    """Print one row: quality, seconds and the process's peak memory so far."""
    with duckdb.connect() as connection:
        connection.execute("set threads = 2")
        began = time.perf_counter()
        records = standardise(table)
        matches = match_pairs(records, MatchConfig(), connection)
        clusters = cluster(records["record_id"], matches.pairs)["cluster"].to_pylist()
        seconds = time.perf_counter() - began
    found, stock = quality(clusters, truth), STOCK.get(name)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:22} {found.records:8,} {found.people:8,} {found.clusters:8,} {found.pairwise.precision:9.4f}"
        f" {found.pairwise.recall:7.4f} {found.pairwise.f1:7.4f} {f'{stock:.4f}' if stock else '-':>7}"
        f" {found.b_cubed.f1:7.4f} {seconds:8.1f} {peak:9,.0f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=1000)
    people = parser.parse_args().people
    shared = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("SINTONIA_DATA") or shared) / "identity"
    print(
        f"{'set':22} {'records':>8} {'people':>8} {'clusters':>8} {'precision':>9} {'recall':>7} {'F1':>7}"
        f" {'stock':>7} {'B3 F1':>7} {'seconds':>8} {'peak MiB':>9}"
    )
    for name, table, truth in public_sets(folder) if folder.is_dir() else ():
        report(name, table, truth)
    report(*heavy_errors(people))


if __name__ == "__main__":
    main()

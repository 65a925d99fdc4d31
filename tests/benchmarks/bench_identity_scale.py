"""Print what it costs to resolve a large customer base, step by step, and to add one record in a hundred to it.

    PYTHONPATH=src python tests/benchmarks/bench_identity_scale.py [--records 1000000] [--sightings 10000000]

The base is drawn here, as the tables `mapped_<silo>` that reading the silos leaves: person records of a CRM (with
cards) and of a web shop (with accounts), people registered several times with slips, other addresses and missing
values, households that share surname, address and telephone, telephones of a shop; and sightings of cookies, log-ins
and cards. Seconds are given by the clock and by the processor, for the machine may be busy with other things.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from sintonia.core.config import EngineConfig, IdentityConfig, SiloConfig, SourceConfig
from sintonia.core.engine import connect
from sintonia.data.identity import blocking, crosswalk, evidence, match_model, resolve
from sintonia.data.identity.previous_build import write_identity
from sintonia.data.identity.quality import quality

FIELDS = ("first_name", "last_name", "sex", "birth_date", "email", "phone", "street", "postcode", "city")
SILOS = {
    "crm": SiloConfig(
        path="crm",
        identifiers={"crm": "crm", "card": "card", "email": "email", "phone": "phone"},
        contacts={field: field for field in FIELDS},
    ),
    "shop": SiloConfig(
        path="shop",
        identifiers={"account": "account", "email": "email"},
        contacts={field: field for field in FIELDS if field not in ("sex", "phone")},
    ),
    "web": SiloConfig(path="web", identifiers={"account": "account", "cookie": "cookie"}),
    "store": SiloConfig(path="store", identifiers={"card": "card", "ticket": "ticket"}),
}
WHOLE = "a build from nothing"
STEPS: tuple[tuple[ModuleType, str], ...] = (
    (resolve, "find_changes"),
    (resolve, "collect_sightings"),
    (resolve, "collect_persons"),
    (resolve, "read_model"),
    (resolve, "standardise"),
    (match_model, "_persons"),
    (blocking, "limits"),
    (blocking, "block"),
    (blocking, "block_new"),
    (match_model, "learn_weights"),
    (match_model, "_take_up"),
    (match_model, "first_look"),
    (match_model, "second_look"),
    (match_model, "kept_pairs"),
    (resolve, "_all_pairs"),
    (resolve, "decide"),
    (resolve, "remember_model"),
    (resolve, "collect_part"),
    (resolve, "tie_sightings"),
    (crosswalk, "_add_matches"),
    (crosswalk, "_refuse"),
    (resolve, "write_crosswalk"),
    (crosswalk, "write_log"),
    (evidence, "write_findings"),
)


def draw_people(rng: np.random.Generator, people: int) -> pa.Table:
    """Return one row per person; three in ten live with the person before them."""
    starts, ends = [*"bcdfglmnrs", "tr", "sp"], ["a", "e", "i", "o", "an", "er", "il", "on"]
    syllables = [start + end for start in starts for end in ends]
    words = rng.permutation([a + b + c for a in syllables for b in syllables for c in syllables])

    def pick(many: int, skew: float) -> np.ndarray[Any, Any]:
        share = 1 / np.arange(1, many + 1) ** skew
        return rng.choice(many, people, p=share / share.sum())

    home = np.maximum.accumulate(np.where(rng.random(people) < 0.3, 0, np.arange(people)))
    first, last, city = pick(600, 0.8), pick(8000, 0.6)[home], pick(400, 0.8)[home]
    sex = first % 2
    born = np.datetime64("1935-01-01") + rng.integers(0, 26_000, people)
    mobile = 3_400_000_000 + rng.permutation(10 * people)[:people] % 99_999_999
    return pa.table(
        {
            "person": np.arange(people),
            "first_name": words[first],
            "last_name": words[1000 + last],
            "sex": np.array(["m", "f"])[sex],
            "birth_date": born.astype(str),
            "phone": np.where(rng.random(people) < 0.2, mobile[home], mobile).astype(str),
            "street": np.char.add("via ", words[rng.integers(30_000, 40_000, people)[home]]),
            "number": rng.integers(1, 120, people)[home],
            "postcode": np.char.zfill((100 + city * 20 + rng.integers(0, 9, people)[home]).astype(str), 5),
            "city": words[20_000 + city],
        }
    )


def draw_records(connection: duckdb.DuckDBPyConnection, rng: np.random.Generator, records: int) -> None:
    """Make the table `drawn`: person records in order of arrival, with their person and all that is wrong in them."""
    people = records * 6 // 10
    persons = rng.integers(0, people, records)
    noise = {f"r{k}": rng.integers(0, 1_000_000, records) for k in range(9)}
    arrived = np.sort(rng.integers(0, 3 * 365 * 86_400, records))
    connection.register("people", draw_people(rng, people))
    connection.register(
        "copies", pa.table({"person": persons, "record": np.arange(records), "seconds": arrived, **noise})
    )

    def slip(field: str, noise: str, wrong: float, missing: float) -> str:
        at = f"(1 + {noise} % length({field}))::bigint"
        letter = f"chr((97 + {noise} % 23)::int)"
        return f"""case when {noise} < {missing * 1e6} then null
            when {noise} > {(1 - wrong) * 1e6} and {noise} % 2 = 0
                then left({field}, {at} - 1) || {letter} || substr({field}, {at} + 1)
            when {noise} > {(1 - wrong) * 1e6} then left({field}, {at} - 1) || substr({field}, {at} + 1)
            else {field} end"""

    address = "left(first_name, 1 + person % 5) || '.' || last_name || (person * 7919 % 100) || '@' || domain"
    connection.execute(f"""
        create or replace table drawn as
        with joined as (
            select *, ['posta.it', 'mail.it', 'web.com'][1 + person % 3] as domain,
                {address} || if(r0 % 5 = 0, 'x' || r0 % 3, '') as email, street || ' ' || number as line
            from copies join people using (person)
        )
        select record, person, timestamp '2022-01-01' + to_seconds(seconds) as arrived_at, record % 5 < 3 as crm,
            if(r1 % 50 = 0 and r2 % 2 = 0, last_name, {slip("first_name", "r1", 0.06, 0.02)}) as first_name,
            {slip("last_name", "r2", 0.06, 0.02)} as last_name, if(r8 % 10 = 0, null, sex) as sex,
            {slip("birth_date", "r3", 0.05, 0.25)} as birth_date, {slip("email", "r4", 0.02, 0.2)} as email,
            if(r5 % 400 = 0, '0612345' || (r5 % 7), {slip("phone", "r5", 0.02, 0.25)}) as phone,
            {slip("line", "r6", 0.08, 0.15)} as street, if(r6 % 8 = 0, null, postcode) as postcode,
            {slip("city", "r7", 0.05, 0.1)} as city
        from joined""")
    connection.unregister("people")
    connection.unregister("copies")


def draw_sightings(seed: int, records: int, sightings: int) -> pa.Table:
    """Return one row per sighting: whose it is, of which visitor when nobody logs in, and when."""
    rng = np.random.default_rng(seed)
    drawn = {"record": records, "visitor": 2 * records, "seconds": 3 * 365 * 86_400}
    columns = {name: rng.integers(0, most, sightings) for name, most in drawn.items()}
    return pa.table({"row": seed * 10**9 + np.arange(sightings), **columns})


def map_silos(connection: duckdb.DuckDBPyConnection, parts: list[tuple[int, int, int]]) -> None:
    """Make the tables `mapped_<silo>` of `drawn` and of sightings, drawn part by part: seed, records, how many."""
    records = parts[-1][1]
    known = "true as _read, null::varchar as reason, 'file' as _file"
    contacts = {
        name: ", ".join(f"{field} as c__{field}" for field in silo.contacts) for name, silo in SILOS.items()
    }
    connection.execute(f"""
        create or replace table mapped_crm as
        select {known}, record as _row, arrived_at, list_filter(['crm:' || record,
            if(record % 3 = 0, 'card:' || record, null), 'email:' || email, 'phone:' || phone],
            lambda key: key is not null) as _keys, {contacts["crm"]} from drawn where crm and record < {records}""")
    connection.execute(f"""
        create or replace table mapped_shop as
        select {known}, record as _row, arrived_at, list_filter(['account:' || record, 'email:' || email],
            lambda key: key is not null) as _keys, {contacts["shop"]}
        from drawn where not crm and record < {records}""")
    connection.register("drawn_sightings", pa.concat_tables(draw_sightings(*part) for part in parts))
    rows = f"select {known}, row as _row, timestamp '2022-01-01' + to_seconds(seconds) as arrived_at"
    # A visitor's cookie is one of four that its record uses; one visit in seven logs in.
    connection.execute(f"""
        create or replace table mapped_web as
        {rows}, if(row % 7 = 0, ['account:' || record, 'cookie:' || record * 4 + row % 4],
            ['cookie:' || visitor * 4 + row % 4]) as _keys from drawn_sightings where row % 5 > 0""")
    connection.execute(f"""
        create or replace table mapped_store as
        {rows}, ['card:' || record // 3 * 3] as _keys from drawn_sightings where row % 5 = 0""")
    connection.unregister("drawn_sightings")


def timed(told: dict[str, list[float]], module: ModuleType, name: str) -> Callable[[], None]:
    """Note the seconds of a function's calls in `told`; the function returned puts things back."""
    plain = getattr(module, name)

    def call(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter(), time.process_time()
        result = plain(*arguments, **options)
        spent = told.setdefault(name.lstrip("_"), [0.0, 0.0])
        spent[0] += time.perf_counter() - began[0]
        spent[1] += time.process_time() - began[1]
        return result

    setattr(module, name, call)
    return lambda: setattr(module, name, plain)


def run(
    connection: duckdb.DuckDBPyConnection, workspace: Path, earlier: Path | None, title: str
) -> tuple[float, float]:
    """Return the seconds by clock and processor of resolving what is mapped and writing it down, the steps printed."""
    told: dict[str, list[float]] = {}
    undo = [timed(told, *step) for step in STEPS] + [timed(told, sys.modules[__name__], "write_identity")]
    source = SourceConfig(name="drawn", root="", today="2026-01-01", silos=SILOS)
    config = IdentityConfig(name="probabilistic", shareable=["email", "phone"])
    began = time.perf_counter(), time.process_time()
    resolve.tie(connection, workspace, source, config, earlier)
    (workspace / title.replace(" ", "-")).mkdir()
    write_identity(connection, workspace / title.replace(" ", "-") / "identity")
    spent = time.perf_counter() - began[0], time.process_time() - began[1]
    for put_back in undo:
        put_back()
    print(f"{title:28} {'seconds':>9} {'processor':>9}")
    rest = [whole - sum(step[k] for step in told.values()) for k, whole in enumerate(spent)]
    for name, seconds in {**told, "the rest": rest}.items():
        print(f"  {name:26} {seconds[0]:9.1f} {seconds[1]:9.1f}")
    print(f"  {'in all':26} {spent[0]:9.1f} {spent[1]:9.1f}, peak {peak():,.0f} MiB")
    began = time.perf_counter(), time.process_time()
    read(connection)
    reading = time.perf_counter() - began[0], time.process_time() - began[1]
    print(f"  {'read by the store':26} {reading[0]:9.1f} {reading[1]:9.1f}", flush=True)
    return spent


def peak() -> float:
    """Return the process's peak memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(connection: duckdb.DuckDBPyConnection) -> None:
    """Print how well the records were resolved; one reached through several identifiers counts once."""
    found = connection.execute("""
        select any_value(customer_id) as customer, any_value(person) as person
        from crosswalk join drawn on source = if(crm, 'crm', 'account') and source_key = record::varchar
        where unlinked_at is null group by record""").fetchnumpy()
    pairs = connection.execute("select count(*) from now_pairs").fetchall()[0][0]
    told = quality(found["customer"], found["person"])
    print(
        f"  {told.records:,} records, {told.people:,} people, {told.clusters:,} customers, {pairs:,} pairs kept;"
        f" pairwise precision {told.pairwise.precision:.4f} recall {told.pairwise.recall:.4f}"
        f" F1 {told.pairwise.f1:.4f}",
        flush=True,
    )


def read(connection: duckdb.DuckDBPyConnection) -> None:
    """Read every cell of what the store takes up, tables or views of files: any build does that as it writes."""
    for name in ("crosswalk", "sighting_customers"):
        columns = [row[0] for row in connection.execute(f"describe {name}").fetchall()]
        connection.execute(f"select bit_xor(hash({', '.join(columns)})) from {name}").fetchall()


def write_beside(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write what the store keeps beside, as it does for every build."""
    for name in ("crosswalk", "merges"):
        connection.execute(f"copy {name} to '{folder / name}.parquet' (format parquet)")


def main() -> None:
    """Print the costs of a build, of the same with a hundredth more, and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--sightings", type=int, default=None, help="ten for a record when not given")
    parser.add_argument("--memory-gib", type=float, default=2.0)
    given = parser.parse_args()
    more = given.records + given.records // 100
    sightings = 10 * given.records if given.sightings is None else given.sightings
    parts = [(1, given.records, sightings), (2, more, sightings // 100)]
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        with connect(EngineConfig(memory_gib=given.memory_gib), workspace) as connection:
            draw_records(connection, np.random.default_rng(0), more)
            map_silos(connection, parts[:1])
            print(
                f"{given.records:,} records, {sightings:,} sightings; peak so far {peak():,.0f} MiB",
                flush=True,
            )
            whole = run(connection, workspace, None, WHOLE)
            report(connection)
            earlier = workspace / WHOLE.replace(" ", "-") / "identity"
            write_beside(connection, earlier.parent)
            map_silos(connection, parts)
            again = run(connection, workspace, earlier, "the same and 1 % more")
            report(connection)
    ratios = [new / old for new, old in zip(again, whole, strict=True)]
    print(f"adding 1 % costs {ratios[0]:.3f} of a build by the clock, {ratios[1]:.3f} by the processor")


if __name__ == "__main__":
    main()

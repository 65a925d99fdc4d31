"""Two versions of sintonia on the same seeds: do they write the same tables, models, lists and decisions?

    python tests/benchmarks/bench_frozen.py --keep FOLDER
    python tests/benchmarks/bench_frozen.py --keep FOLDER-400 --customers 400 --only build,train-churn

Each version goes the whole road in processes of its own: it simulates a brand, builds its store with both kinds of
identity, computes features at several dates, trains every task, scores a list by ids, by e-mails and by telephone
numbers with reasons in two languages, decides a round, explains one decision and forgets one customer. The base is a
commit of this repository, `--base`; the new version is the working tree this file stands in, or the one of `--new`.

After each step every file that the step wrote into the workspace is put aside under a name without run ids and store
versions, beside the figures the verb reports and the parameters, metrics and tags of the MLflow runs. Then both sides
are compared: equal bytes, or else table by table, column by column, bit by bit, and key by key in JSON. One line a
step says how long it took on both sides and how many files are equal; every difference is a line beneath it that
names file, column, number of rows and the first row that differs. Values are shown of numbers and times only, never a
text, which could be somebody's name. The exit code is 1 when anything differs that `EXPECTED` does not list.

`--keep FOLDER` keeps the base's files, so that it runs once: later runs with the same folder, base and number of
customers compare with what is there, also several at a time. The new version runs in a temporary folder unless
`--work FOLDER` is given, which is emptied first. `--only` names steps, or the beginnings of their names; the steps they
need are run too, but not compared. Seconds hold the compiling of loops where a tree computes for the first time.

What is renamed on purpose goes into the tables at the top: words of the command line into `STEPS`, files into `FILES`,
columns into `COLUMNS`, keys of JSON, parameters and metrics into `KEYS`; what is meant to differ, into `EXPECTED`.
"""

import argparse
import contextlib
import csv
import fcntl
import fnmatch
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
WORKSPACE, DETERMINISTIC = "shop", "deterministic"
"""The workspaces' folders, relative to the folder of a side; the second shares the first one's silos."""

FEW = 1_000
"""Fewer customers than this get leaves of 20 rows: with the 200 of `model=lightgbm` no tree would split."""


@dataclass(frozen=True)
class Step:
    """A step of the road: its name, the words of the command line of both versions, and the steps it needs.

    `new` is None where the words are the same. `{customers}`, `{leaf}`, `{explained}` and `{forgotten}` are
    filled in.
    """

    name: str
    base: str
    new: str | None = None
    needs: tuple[str, ...] = ()


TRAINED = ("churn", "purchase", "value", "category", "next_best_action")
TRAININGS = tuple(f"train-{task}" for task in TRAINED)
BUILT = ("simulate", "build-probabilistic")
SCORED = f"tasks=[{','.join(TRAINED)}]"

STEPS = (
    Step("simulate", f"simulate customers={{customers}} seed=7 workspace={WORKSPACE}"),
    Step("build-probabilistic", f"build identity=probabilistic workspace={WORKSPACE}", needs=("simulate",)),
    Step(
        "build-deterministic",
        f"build identity=deterministic workspace={DETERMINISTIC} source.root={WORKSPACE}/silos",
        needs=("simulate",),
    ),
    Step("features", "", needs=(*BUILT, "build-deterministic")),  # by Python, see FEATURES
    *(
        Step(
            f"train-{task}",
            f"train task={task} features=all task.force=true seed=7 model.min_data_in_leaf={{leaf}} "
            f"workspace={WORKSPACE}",
            needs=BUILT,
        )
        for task in TRAINED
    ),
    Step(
        "score-ids",
        f"score list=list.csv key=cliente out=ids.csv language=en {SCORED} workspace={WORKSPACE}",
        needs=(*BUILT, *TRAININGS),
    ),
    Step(
        "score-emails",
        f"score list=list.csv key=E-mail out=emails.csv language=it reasons.allow_sensitive=[region,age] {SCORED} "
        f"workspace={WORKSPACE}",
        needs=(*BUILT, *TRAININGS, "score-ids"),
    ),
    Step(
        "score-phones",
        f"score list=list.csv key=telefono out=phones.csv tasks=[churn,value] limit=200 workspace={WORKSPACE}",
        needs=(*BUILT, *TRAININGS, "score-emails"),
    ),
    Step("decide", f"decide round=july-1 workspace={WORKSPACE}", needs=(*BUILT, "train-next_best_action")),
    Step(
        "explain",
        f"decide customer={{explained}} round=july-1 workspace={WORKSPACE}",
        needs=(*BUILT, "train-next_best_action", "decide"),
    ),
    Step(
        "forget",
        f"forget customer={{forgotten}} workspace={WORKSPACE}",
        needs=(*BUILT, *TRAININGS, "score-ids", "score-emails", "score-phones", "decide"),
    ),
)

FILES: dict[str, str] = {}
"""New name to the base's name, of files: a regular expression and what takes its place, as `re.sub` reads them.

Names are those under which files are put aside: `shop/store/VERSION/crosswalk.parquet`, `list.csv`, `figures.json`,
`runs.json`, `shop/mlflow/RUN/artifacts/review.json`, `shop/mlflow/models/MODEL/artifacts/data/sintonia/model.txt`.
"""

COLUMNS: dict[str, dict[str, str]] = {
    "*/why/*.parquet": {
        name: f"{name}_eur" for name in ("worth", "cost", "price", "margin", "runner_up_cheaper_by")
    },
    "*/predictions.parquet": {"dr_scores": "brings", "policy_probabilities": "chosen"},
}
"""Base's file (a pattern) to its renamed columns, new name to the base's: {"*/effects.parquet": {"new": "base"}}."""

KEYS: dict[str, str] = {
    r"(^|\.)effects\.(?!parquet)": r"\1policy.",
    r"(^|\.)policy\.reward\.cap$": r"\1policy.reward.cap_eur",
    r"(^|\.)profit\.(customer_value|incentive)$": r"\1profit.\2_eur",
    r"(^|\.)profit\.contact_cost$": r"\1profit.contact_eur",
    r"(^|\.)(budget|cost|worth|price|shadow_price|margin|runner_up_cheaper_by)$": r"\1\2_eur",
}
"""Renamed keys of JSON, parameters and metrics: a regular expression over the new path to what takes its place."""

EXPECTED: tuple[tuple[str, str, str], ...] = (
    ("*/store/current.json", "format", "the store says its format"),
    ("*/runs.json", "*sintonia.code", "the code is other code"),
    ("*/runs.json", "*sintonia.config", "settings have other names"),
    ("*/config.json", "*actions*", "actions are configured once, apart from how effects are learned"),
    ("*/config.json", "task.question", "a task of the user's own has a question"),
    ("*/config.json", "source.currency", "money is in the brand's currency"),
    ("*/evaluation.json", "*", "all that a promotion asks stands here now"),
    ("*/model.json", "format", "a model of another family can be registered since format 4"),
    ("*/model.json", "kind", "a model's file names its family since format 4"),
    ("*/model.json", "task.question", "a task of the user's own has a question"),
    ("*/rules.parquet", "*", "the hash of the code that decides on identities, which is other code"),
    ("*/current.json", "currency", "money is in the brand's currency"),
    ("*/review.json", "currency", "money is in the brand's currency"),
    ("*/runs.json", "*task.question", "a task of the user's own has a question"),
    ("*", "*drift.*", "drift is of the features that the model uses"),
    ("decide/*", "*policy_version*", "a version is a hash of the settings, which have other names"),
    ("decide/*", "*actions.*", "actions are configured once, apart from the engagement policy"),
    ("*/*policy.json", "*", "a policy's document is its model.json since format 4"),
    ("train-next_best_action/*model.json", "*", "a policy's document is its model.json since format 4"),
    ("*/features.json", "currency", "money is in the brand's currency"),
    ("score-*/figures.json", "files.*", "a file's name holds a hash of the settings, which have other names"),
    ("score-*/figures.json", "changes.*.since", "the time of the list before"),
    ("*/figures.json", "changes.*.mean_*", "a mean over rows that are read in another order: last digit"),
    ("*/review.json", "limits.*", "sentences for people, worded anew"),
    ("*", "*gate.sentence", "a sentence for people, worded anew"),
    (
        "*/runs.json",
        "*params.policy.actions",
        "actions are configured once, apart from how effects are learned",
    ),
    (
        "*/runs.json",
        "*params.policy.reward",
        "one parameter with all of the reward's settings, some with new names",
    ),
    (
        "forget/figures.json",
        "removed.*",
        "hashes of settings and random ids; one of several runs is compared",
    ),
    ("forget/figures.json", "searched_files", "there is an evaluation.json in each run"),
    ("forget/*", "*policy_version*", "a version is a hash of the settings, which have other names"),
)
"""Differences that are meant: step/file and column or key (with wildcards), and the reason."""

SKIPPED: dict[str, str] = {
    "*/features/*": "a cache; the step 'features' compares what it would hold",
    "*.html": "a page for people, which may be worded anew",
    "*.svg": "a drawing of figures that are compared, with ids of its own",
    "*/MLmodel": "MLflow's own, with ids and times",
    "*/registered_model_meta": "MLflow's own, with ids and times",
    "*/conda.yaml": "MLflow's own",
    "*/python_env.yaml": "MLflow's own",
    "*/requirements.txt": "MLflow's own",
    "*.key": "random; given to both sides",
    "*/mlflow.db*": "compared as runs.json",
    "*/workspace.json": "the format of the workspace, which the base does not write",
    "*/tombstones.json": "hashes with a random salt, and the time",
    "*/erased.json": "hashes with a random salt, and the time",
}
"""Files that are not compared, and why."""

KEY_FILE = ("pseudonyms.key", "pseudonyms.key")
"""Where the base and the new version keep the workspace's key: random, so it is given to both."""

LIST_TABLES = ("crosswalk.parquet", "contacts.parquet")
"""Tables of the base's store that the list is drawn from."""

NAMES = (
    (r"/v-[0-9a-f]{12}\b", "/VERSION"),
    (r"/models/m-[0-9a-f]{32}", "/models/MODEL"),
    (r"[0-9a-f]{32}", "RUN"),
    (r"\d{4}-?\d\d-?\d\dT\d\d[-:]?\d\d[-:]?\d\d(\.\d+)?Z?", "TIME"),
    (r"bucket-\d+", "BUCKET"),
    (r"(/scores/.+/)[0-9a-f]{16}\.parquet", r"\1HASH.parquet"),
)
"""Parts of files' names that are random or the clock's; files of one name after that are read as one table."""

TEXTS = (
    (r"\bv-[0-9a-f]{12}\b", "VERSION"),
    (r"\bm-[0-9a-f]{32}\b", "MODEL"),
    (r"\b[0-9a-f]{32}\b", "RUN"),
    (r"\bpolicy version [0-9a-f]+", "POLICY"),
)
"""Parts of texts and values that are random."""

CLOCK = {"*/scores/*.parquet": ("scored_at",)}
"""Columns of the clock's, which are not compared, by files."""

ANY_ORDER = (
    "*/scores/*.parquet",
    "*/samples/*.parquet",
    "*/identity/sightings.parquet",
    "*/identity/ties.parquet",
)
"""Files whose rows may stand in any order: their own names are random, or several threads of the base wrote them."""

VOLATILE_TAGS = ("mlflow.", "sintonia.git")
VOLATILE_KEYS = ("*seconds*", "*created_at", "*scored_at", "*trained_at")

AS_OFS = ("2025-06-30", "2025-12-31T17:30:00", "2026-06-15")
FAMILIES = [
    *("rfm", "channel_mix", "kinds", "journeys", "moments", "rhythm", "clock", "engagement", "trust"),
    *("motives", "affinity", "response", "profile", "identity", "prior"),
]

FEATURES = """
import importlib, json, sys
from datetime import datetime
from pathlib import Path
import pyarrow as pa
import pyarrow.parquet as pq

workspace, out, as_ofs, families = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
moments = [datetime.fromisoformat(text) for text in as_ofs]


def first_of(*addresses):
    for address in addresses:
        module, _, name = address.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise SystemExit("none of these can be imported: " + ", ".join(addresses))


def by_parts():
    config_class = first_of("sintonia.config:FeaturesConfig", "sintonia.core.config:FeaturesConfig")
    open_store = first_of(
        "sintonia.data.store:open_store", "sintonia.data.store:open_store", "sintonia.data:open_store"
    )
    fit = first_of("sintonia.features:fit", "sintonia.features.fitting:fit")
    compute = first_of("sintonia.features:compute", "sintonia.features.table:compute")
    history_class = first_of("sintonia.features:History", "sintonia.features.history:History")
    config = config_class(families=families, windows_days=[7, 30, 90, 365], half_lives_days=[30, 180], top_k=10)
    store = open_store(Path(workspace))
    fitted = fit(config, store, moments[0])
    parts = []
    for path in store.buckets:
        tables = [store.read_bucket(path), *(store.read_beside(name, path) for name in ("attributes", "links"))]
        parts.append(compute(history_class(*tables), moments, config, fitted))
    return pa.concat_tables(parts)


table = by_parts()
columns = {"customer_id": pa.string(), "as_of": pa.timestamp("us")}
fields = [pa.field(name, columns.get(name, pa.float32())) for name in table.column_names]
table = table.replace_schema_metadata(None).cast(pa.schema(fields))
pq.write_table(table.sort_by([("customer_id", "ascending"), ("as_of", "ascending")]), out, compression="zstd")
"""
"""Computes a workspace's features at dates into a Parquet file, by whatever road the version has."""


@dataclass
class Side:
    """One version on its road: its source tree, its folder, and what it did already."""

    name: str
    tree: Path
    folder: Path
    python: str
    customers: int
    done: dict[str, float] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    people: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """The file that says what was done."""
        return self.folder / "state.json"

    def save(self):
        """Write down what was done, for the next time."""
        told = {name: getattr(self, name) for name in ("customers", "done", "known", "runs", "people")}
        part = self.state.with_suffix(".part")
        part.write_text(json.dumps(told), encoding="utf-8")
        part.replace(self.state)

    def load(self):
        """Take up what an earlier run did."""
        if self.state.is_file():
            for name, value in json.loads(self.state.read_text(encoding="utf-8")).items():
                setattr(self, name, value)

    def outputs(self, step: str) -> Path:
        """The folder of the files that a step wrote."""
        return self.folder / "outputs" / step


def run(side, step, list_from):
    """Run a step on a side and put aside what it wrote."""
    is_base = side.name == "base"
    clear(side)
    if step.name == "simulate":
        write_keys(side)
    if step.name.startswith(("score-", "explain", "decide", "forget")):
        take_list(side, list_from)
    words = (step.base if is_base or step.new is None else step.new).format(
        customers=side.customers, leaf=20 if side.customers < FEW else 200, **side.people
    )
    shutil.rmtree(side.outputs(step.name), ignore_errors=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(side.tree / "src"),
        "MPLBACKEND": "Agg",
    }
    began = time.perf_counter()
    if step.name == "features":
        target = side.outputs(step.name)
        target.mkdir(parents=True)
        for workspace, as_ofs in ((WORKSPACE, AS_OFS), (DETERMINISTIC, AS_OFS[-1:])):
            arguments = [
                workspace,
                str(target / f"{workspace}.parquet"),
                json.dumps(as_ofs),
                json.dumps(FAMILIES),
            ]
            call(side, step, ["-c", FEATURES, *arguments], environment)
    else:
        text = call(side, step, ["-m", "sintonia", *words.split(), "output=json"], environment)
        seconds = time.perf_counter() - began
        harvest(side, step.name)
        lines = text.strip().splitlines()
        (side.outputs(step.name) / "figures.json").write_text(lines[-1] if lines else "{}", encoding="utf-8")
    side.done[step.name] = seconds if step.name != "features" else time.perf_counter() - began
    side.save()


def call(side, step, arguments, environment):
    """Return what a process of the side's version printed; end with its last lines when it fails."""
    done = subprocess.run(
        [side.python, *arguments],
        cwd=side.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    (side.folder / "logs").mkdir(exist_ok=True)
    (side.folder / "logs" / f"{step.name}.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        said = done.stderr[-3000:] + done.stdout[-500:]
        sys.exit(f"{step.name} failed on the {side.name} side ({done.returncode}):\n{said}")
    return done.stdout


def tracked(side):
    """Yield name and path of the files that are put aside when they are new or other."""
    for path in sorted(side.folder.rglob("*")):
        name = path.relative_to(side.folder).as_posix()
        if (
            name.split("/")[0] in ("outputs", "logs", "state.json", "commit.txt", "tree")
            or not path.is_file()
        ):
            continue
        if not any(fnmatch.fnmatch(name, pattern) for pattern in SKIPPED):
            yield name, path


def clear(side):
    """Remove what a step left that did not come to its end: files, and runs of MLflow."""
    for name, path in tracked(side):
        if name.startswith((WORKSPACE, DETERMINISTIC)) and name not in side.known:
            path.unlink()
    saved = side.folder / "logs" / "mlflow.db"
    for path in side.folder.glob(f"{WORKSPACE}/**/mlflow.db"):
        if saved.is_file():
            shutil.copy(saved, path)
        elif not side.runs:
            path.unlink()


def write_keys(side):
    """Give the side's workspaces a key: random ones would name customers differently."""
    for workspace in (WORKSPACE, DETERMINISTIC):
        path = side.folder / workspace / KEY_FILE[side.name == "new"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(hashlib.sha256(b"frozen").hexdigest(), encoding="ascii")


def take_list(side, base):
    """Put the list to score into the side's folder: the base draws it from its store, the new version gets the same."""
    if side.people:
        return
    if side is not base:
        if not base.people:
            take_list(base, base)
        shutil.copy(base.folder / "list.csv", side.folder / "list.csv")
        side.people = dict(base.people)
        return
    tables = [
        pq.read_table(next(side.folder.glob(f"{WORKSPACE}/store/v-*/{name}"))).to_pylist()
        for name in LIST_TABLES
    ]
    ids = sorted({row["customer_id"] for row in tables[0] if row["unlinked_at"] is None})
    known = {kind: {} for kind in ("email", "phone")}
    for row in sorted(tables[1], key=lambda row: (row["field"], row["value"])):
        if row["field"] in known:
            known[row["field"]].setdefault(row["customer_id"], row["value"])
    reached = [customer for customer in ids if all(customer in values for values in known.values())]
    chosen = [*reached[::3][:500], *[customer for customer in ids if customer not in reached][:50]]
    rows = [
        [
            f"Cliente {at}",
            customer,
            *(values.get(customer, "") for values in known.values()),
            f"{at % 97},{at % 10}0",
        ]
        for at, customer in enumerate(chosen)
    ]
    rows.insert(7, rows[3])
    rows.insert(9, ["Unknown", "C0000000000000000", "nobody@example.org", "+39 333 0000000", "1,00"])
    rows.insert(11, ["=1+1", rows[0][1].lower(), rows[0][2].upper(), rows[0][3].replace("+39", ""), "2,00"])
    rows.insert(13, ["Nothing", "", "", "", ""])
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows(
        [["name", "cliente", "E-mail", "telefono", "spent"], *rows]
    )
    (side.folder / "list.csv").write_bytes(text.getvalue().encode())
    side.people = {"explained": reached[3], "forgotten": reached[6]}
    side.save()


def harvest(side, step):
    """Copy every file that is new or other than before into the step's outputs, under its lasting name."""
    target, gone = side.outputs(step), []
    target.mkdir(parents=True, exist_ok=True)
    now = {}
    for name, path in tracked(side):
        now[name] = file_hash(path)
        if side.known.get(name) == now[name]:
            continue
        place, number = target / lasting(name), 0
        while place.exists():  # of files with one name after that, each is kept
            number += 1
            place = (target / lasting(name)).with_name(f"{place.name.split('~')[0]}~{number:04d}")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    written = {lasting(name) for name in now}
    gone = sorted({lasting(name) for name in side.known} - written)
    (target / "gone.json").write_text(json.dumps(gone), encoding="utf-8")
    side.known = now
    runs = new_runs(side)
    if runs:
        (target / "runs.json").write_text(json.dumps(runs, indent=1, sort_keys=True), encoding="utf-8")


def file_hash(path):
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lasting(name):
    """Return a file's name without what is random in it."""
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def new_runs(side):
    """Return parameters, metrics and tags of the MLflow runs that the last step logged, by name and number."""
    found = next(side.folder.glob(f"{WORKSPACE}/**/mlflow.db"), None)
    if found is None:
        return {}
    told = {}
    shutil.copy(found, side.folder / "logs" / found.name)
    with contextlib.closing(sqlite3.connect(found)) as database:
        asked = "SELECT run_uuid, name, status FROM runs WHERE status = 'FINISHED' ORDER BY start_time, rowid"
        for run_id, name, status in database.execute(asked).fetchall():
            if run_id in side.runs:
                continue
            side.runs.append(run_id)
            pairs = {
                table: dict(database.execute(f"SELECT key, value FROM {table} WHERE run_uuid = ?", [run_id]))
                for table in ("params", "latest_metrics", "tags")
            }
            tags = {
                key: value for key, value in pairs.pop("tags").items() if not key.startswith(VOLATILE_TAGS)
            }
            parent = "sintonia.nested" not in tags
            title = "training" if parent else name
            number = sum(key.startswith(f"{title}#") for key in told)
            told[f"{title}#{number}"] = {"status": status, "tags": tags, **pairs}
    return told


def compare(step, base, new):
    """Return how many files there are, how many of them are equal bytes, and the differences: name, what, sentence."""
    files = [grouped(base.outputs(step)), grouped(new.outputs(step), renamed=True)]
    differences = []
    equal = 0
    for name in sorted({*files[0], *files[1]}):
        if name not in files[0] or name not in files[1]:
            where = "new" if name not in files[0] else "base"
            differences.append((name, "", f"only on the {where} side"))
            continue
        pair = [some[name] for some in files]
        if [file_hash(path) for path in pair[0]] == [file_hash(path) for path in pair[1]]:
            equal += 1
            continue
        differences += [(name, what, said) for what, said in differing(name, pair, (base, new))]
    return len({*files[0], *files[1]}), equal, differences


def grouped(folder, renamed=False):
    """Return a step's files by the base's names; several files of one name are one table."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = lasting(path.relative_to(folder).as_posix().split("~")[0])
            if renamed:
                for pattern, replacement in FILES.items():
                    name = re.sub(pattern, replacement, name)
            if not any(fnmatch.fnmatch(name, pattern) for pattern in SKIPPED):
                files.setdefault(name, []).append(path)
    return files


def differing(name, pair, sides):
    """Yield column or key, and a sentence, of whatever differs between the two sides' files of a name."""
    if name.endswith(".parquet"):
        clock = {
            column
            for pattern, columns in CLOCK.items()
            if fnmatch.fnmatch(name, pattern)
            for column in columns
        }
        sides_by_columns = [by_columns(name, paths, clock, new) for new, paths in enumerate(pair)]
        for columns in dict.fromkeys([*sides_by_columns[0], *sides_by_columns[1]]):
            tables = [side.get(columns) for side in sides_by_columns]
            if None in tables:
                yield ", ".join(columns), f"only on the {'base' if tables[1] is None else 'new'} side"
            else:
                yield from differing_tables(name, *tables)
        return
    texts = [
        plain("".join(path.read_text(encoding="utf-8", errors="replace") for path in paths), side)
        for paths, side in zip(pair, sides, strict=True)
    ]
    if texts[0] == texts[1]:
        return
    if name.endswith(".json"):
        documents = [
            [json.loads(plain(path.read_text(encoding="utf-8"), side)) for path in paths]
            for paths, side in zip(pair, sides, strict=True)
        ]
        yield from differing_values(*(one[0] if len(one) == 1 else one for one in documents))
    elif name.endswith(".csv") and (tables := [as_table(text) for text in texts]) and None not in tables:
        found = list(differing_tables(name, *tables))
        yield from found or [("", "the same cells, spelt otherwise")]
    else:
        lines = [text.splitlines() for text in texts]
        places = [at for at, (one, other) in enumerate(zip(*lines, strict=False)) if one != other]
        first = places[0] if places else min(map(len, lines))
        about = lines[0][first].split("=")[0][:40] if first < len(lines[0]) and name.endswith(".txt") else ""
        yield (
            about,
            f"{len(places)} of {len(lines[0])} lines, {len(lines[1])} on the new side; first line {first + 1}",
        )


def by_columns(name, paths, clock, new):
    """Return the rows of all files of a name, those of other columns apart: runs of several tasks share names."""
    names = {}
    for pattern, columns in COLUMNS.items():
        names |= columns if new and fnmatch.fnmatch(name, pattern) else {}
    parts = {}
    for path in paths:
        table = pq.read_table(path)
        table = table.drop_columns([*clock & {*table.column_names}])
        table = table.rename_columns([names.get(column, column) for column in table.column_names])
        parts.setdefault(tuple(table.column_names), []).append(table)
    return {columns: pa.concat_tables(tables) for columns, tables in parts.items()}


def plain(text, side):
    """Return a text without what is random in it."""
    text = text.replace(str(side.folder.resolve()), "FOLDER").replace(str(side.tree.resolve()), "TREE")
    for pattern, replacement in TEXTS:
        text = re.sub(pattern, replacement, text)
    return text


def as_table(text):
    """Return a CSV as a table of texts; None when its rows are of different lengths."""
    delimiter = max(";,\t", key=text.partition("\n")[0].count)
    header, *rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    if any(len(row) != len(header) for row in rows) or len(set(header)) < len(header):
        return None
    return pa.table(
        {name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(header)}
    )


def differing_tables(name, base, new):
    """Yield column and sentence of what differs between two tables, renamed columns aside."""
    names = {}
    for pattern, columns in COLUMNS.items():
        names |= columns if fnmatch.fnmatch(name, pattern) else {}
    new = new.rename_columns([names.get(column, column) for column in new.column_names])
    there = [column for column in base.column_names if column in new.column_names]
    for column in base.column_names:
        if column not in there:
            yield column, "only on the base side"
    for column in new.column_names:
        if column not in there:
            yield column, "only on the new side"
    if there != [column for column in new.column_names if column in there]:
        yield "", "the columns stand in another order"
    if base.num_rows != new.num_rows:
        yield "", f"{base.num_rows} rows on the base side, {new.num_rows} on the new side"
        return
    found = [(column, said) for column in there if (said := differing_column(base[column], new[column]))]
    if found and same_rows(base.select(there), new.select(there)):
        ordered = not any(fnmatch.fnmatch(name, pattern) for pattern in ANY_ORDER)
        found = [("", "the same rows in another order")] if ordered else []
    yield from found


def differing_column(base, new):
    """Return a sentence on how two columns differ, None when they do not: bit by bit, NaN like NaN."""
    said = "" if base.type == new.type else f"{base.type} became {new.type}; "
    base, new = (
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in (base, new)
    )
    if base.type != new.type:
        try:
            new = new.cast(base.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return f"{said}values of the one are none of the other"
    if base.combine_chunks().equals(new.combine_chunks()):
        return said + "equal values" if said else None
    if pa.types.is_floating(base.type) and not base.null_count and not new.null_count:
        bits = [np.ascontiguousarray(column.to_numpy()) for column in (base, new)]
        whole = f"i{bits[0].dtype.itemsize}"
        other = (bits[0].view(whole) != bits[1].view(whole)) & ~(np.isnan(bits[0]) & np.isnan(bits[1]))
        places = np.flatnonzero(other).tolist()
    else:
        lists = [column.to_pylist() for column in (base, new)]
        places = [at for at, (one, two) in enumerate(zip(*lists, strict=True)) if not same(one, two)]
    if not places:
        return said + "equal values" if said else None
    first = [shown(column[places[0]].as_py()) for column in (base, new)]
    return f"{said}{len(places)} of {len(base)} rows; first row {places[0]}: {first[0]} became {first[1]}"


def same(base, new):
    """Return whether two values are one, NaN and NaN too."""
    return base == new or (base != base and new != new)


def same_rows(base, new):
    """Return whether two tables hold the same rows, each as often."""
    rows = [Counter(map(repr, table.to_pylist())) for table in (base, new)]
    return rows[0] == rows[1]


def shown(value):
    """Return a value as it may be shown: a text, which may be personal, by a hash of it."""
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    text = value if isinstance(value, str) else repr(value)
    return f"<{len(text)} letters, {hashlib.sha256(text.encode()).hexdigest()[:6]}>"


def differing_values(base, new):
    """Yield key and sentence of the values of JSON that differ, of many in one place the first and their number."""
    flat = [dict(leaves(base)), {}]
    for path, value in leaves(new):
        flat[1][base_path(path, flat[0])] = value
    found: dict[str, list[str]] = {}
    for path in dict.fromkeys([*flat[0], *flat[1]]):
        if any(fnmatch.fnmatch(path, pattern) for pattern in VOLATILE_KEYS):
            continue
        if path not in flat[0] or path not in flat[1]:
            said = "only on the new side" if path not in flat[0] else "only on the base side"
        elif type(flat[0][path]) is type(flat[1][path]) and same(flat[0][path], flat[1][path]):
            continue
        else:
            said = f"{shown(flat[0][path])} became {shown(flat[1][path])}"
        found.setdefault(re.sub(r"\.\d+(?=\.|$)", ".*", path), []).append(f"{path}: {said}")
    for place, sentences in found.items():
        yield place, f"{len(sentences)} values; first {sentences[0]}"


def base_path(path, base):
    """Return the base's path for a path of the new side: the same, or the first of its renamed forms there is."""
    candidates = [path]
    for pattern, replacement in KEYS.items():
        candidates += [re.sub(pattern, replacement, candidate) for candidate in candidates]
    return next((candidate for candidate in candidates if candidate in base), candidates[-1])


def leaves(value, path=""):
    """Yield dotted path and value of every leaf of JSON; an empty list or object is a leaf."""
    if isinstance(value, dict | list) and value:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def check_out(commit, folder):
    """Put a commit's files into a folder."""
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit, "src", "conf"], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def reason_of(step, name, what):
    """Return why a difference is expected, None when it is not."""
    for files, columns, reason in EXPECTED:
        if fnmatch.fnmatch(f"{step}/{name}", files) and fnmatch.fnmatch(what, columns):
            return reason
    return None


def base_side(given, commit, folder):
    """Return the base's side, with what an earlier run kept of the same commit and number of customers."""
    folder = folder / "base"
    kept = folder / "commit.txt"
    wanted = f"{commit} {given.customers}"
    if folder.is_dir() and (not kept.is_file() or kept.read_text(encoding="utf-8") != wanted):
        sys.exit(f"'{folder}' holds another base; remove it or give another --keep.")
    if not folder.is_dir():
        check_out(commit, folder / "tree")
        kept.write_text(wanted, encoding="utf-8")
    side = Side("base", folder / "tree", folder, given.python, given.customers)
    side.load()
    return side


def main():
    """Run both versions step by step, print what differs, and end with 1 when something does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="a5b6e40", help="the commit to compare with")
    parser.add_argument("--new", type=Path, default=ROOT, help="the source tree to compare")
    parser.add_argument("--keep", type=Path, help="folder of the base's files, for the next time")
    parser.add_argument("--work", type=Path, help="folder of the new version's files, emptied first")
    parser.add_argument("--only", default="", help="steps to compare, or how their names begin: build,train")
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--base-only", action="store_true", help="run the base and compare nothing")
    parser.add_argument("--python", default=sys.executable, help="the Python that runs both versions")
    given = parser.parse_args()
    begins = tuple(filter(None, given.only.split(",")))
    compared = [step for step in STEPS if not begins or step.name.startswith(begins)]
    if not compared:
        sys.exit(f"No step begins with {given.only}; there are {', '.join(step.name for step in STEPS)}.")
    needed = {name for step in compared for name in (step.name, *step.needs)}
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--verify", f"{given.base}^{{commit}}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as temporary:
        base = base_side(given, commit, (given.keep or Path(temporary)).resolve())
        work = (given.work or Path(temporary) / "new").resolve()
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        new = Side("new", given.new.resolve(), work, given.python, given.customers)
        sys.exit(walk([step for step in STEPS if step.name in needed], compared, base, new, given.base_only))


@contextlib.contextmanager
def locked(folder):
    """Let nobody else run a step of the base in this folder meanwhile: several may share what it keeps."""
    with folder.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def walk(steps, compared, base, new, base_only):
    """Return 1 when a step's outputs differ and nobody expected it, else 0; print a line a step."""
    surprises = 0
    for step in steps:
        base.load()
        if step.name not in base.done:
            with locked(base.folder):
                base.load()
                if step.name not in base.done:
                    run(base, step, base)
        line = f"{step.name:22}{base.done[step.name]:8.1f} s"
        if base_only:
            print(line, flush=True)
            continue
        run(new, step, base)
        line += f"{new.done[step.name]:8.1f} s  ratio {new.done[step.name] / base.done[step.name]:5.2f}"
        if step not in compared:
            print(f"{line}  not compared", flush=True)
            continue
        files, equal, differences = compare(step.name, base, new)
        reasons = [reason_of(step.name, name, what) for name, what, _ in differences]
        unexpected = reasons.count(None)
        print(f"{line}  {files} files, {equal} equal bytes, {unexpected} differences", flush=True)
        for (name, what, said), reason in zip(differences, reasons, strict=True):
            mark = "expected" if reason else "DIFFERS"
            print(
                f"    {mark} {name}{f' [{what}]' if what else ''}: {said}{f' ({reason})' if reason else ''}"
            )
        surprises += unexpected
    if not base_only:
        print("Frozen: nothing differs." if not surprises else f"{surprises} differences nobody expected.")
    return int(surprises > 0)


if __name__ == "__main__":
    main()

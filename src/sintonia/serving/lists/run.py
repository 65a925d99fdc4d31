"""A list scored from end to end: rows located, customers scored chunk by chunk, rows written in their places."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from sintonia import __version__
from sintonia.core.config import ScoreSettings
from sintonia.core.engine import drop_tables
from sintonia.core.errors import SintoniaError
from sintonia.core.memory import release
from sintonia.core.progress import counter, log
from sintonia.data.privacy.tombstones import read_tombstones
from sintonia.data.store import Store
from sintonia.evaluation.drift import BinCounts, DriftCheck, check_drift, drift_of_model
from sintonia.serving.lists import json_lines
from sintonia.serving.lists.acting import ACTED, Act, write_actions
from sintonia.serving.lists.answers import Answers, Totals
from sintonia.serving.lists.chunks import Scoring, TaskModel, percentile_starts, score_chunks, tallies
from sintonia.serving.lists.form import form_of
from sintonia.serving.lists.history import ScoreChange, changes, history_path, write_history
from sintonia.serving.lists.keys import Keys, find_key, quoted
from sintonia.serving.lists.layout import SendFiles, check_layout
from sintonia.serving.lists.page import render_list_page
from sintonia.serving.lists.read import Chunk, CustomerList, digest, read_list
from sintonia.serving.lists.rows import LOCATED, ROWS, Located, locate, regrouped, suppress
from sintonia.serving.lists.spool import Spool, open_spool, whole
from sintonia.serving.lists.write import check_size, ending, writing
from sintonia.training.tasks import label_kinds

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Scored:
    """A list that was scored: what was found out of its rows, what was counted, what changed, and the files written."""

    customers: CustomerList
    located: Located
    models: Sequence[TaskModel]
    totals: Totals
    files: tuple[Path, ...]
    changes: Sequence[ScoreChange] = ()
    watched: Mapping[str, DriftCheck] = field(default_factory=dict)
    currency: str = "EUR"


def score_list(
    connection: "duckdb.DuckDBPyConnection",
    store: Store,
    customers: CustomerList,
    models: Sequence[TaskModel],
    settings: ScoreSettings,
    act: Act | None = None,
) -> Scored:
    """Return what became of a list, now written with what each model says of each row.

    What is finished of a run that was killed is not done again, as long as list, store, models and settings are the
    same; the bytes written are those of a run that nobody disturbed, and do not depend on `chunk_rows`. `act` gives the
    next best actions of the list's customers, all at once, for they share what is scarce.
    """
    out = out_path(customers, settings)
    kind = ending(out, customers)
    blank = Answers(models, settings.bands, settings.reasons.count, {}, act is not None)
    blank.check(customers)
    check_layout(settings.layout, form_of(customers, blank.columns, out))
    log.info("'%s' is %s", customers.path.name, customers.told)
    told = _told(store, customers, models, settings)
    spool = open_spool(settings.paths.root, (told, settings.chunk_rows))
    try:
        located = _located(connection, store, customers, settings, spool)
        check_size(kind, located.rows, len(customers.header) + len(blank.columns))
    except SintoniaError:
        spool.remove()
        raise
    log.info("%s", located.told)
    drop_tables(connection)
    release()
    names = score_chunks(Scoring.of(store, models, settings, located.customers), spool) if models else []
    release()
    if act is not None:
        write_actions(act, spool, settings.language, store.currency)
        release()
    watched = {one.task: _watch(store, one, tallies(spool, names, one.task), settings) for one in models}
    starts = {one.task: percentile_starts(spool, names, one.task)[0] for one in models}
    answers = Answers(models, settings.bands, settings.reasons.count, starts, act is not None)
    files = _write_outputs(connection, Written(customers, located, answers, out, kind), settings, spool)
    changed: list[ScoreChange] = []
    if settings.limit is None and models:
        path = history_path(store, customers.path.name.partition(".")[0], told)
        write_history(path, spool, names, models, starts, settings.bands)
        changed, files = changes(connection, path), [*files, path]
    page = out.with_name(f"{named(out)[0]}.html")
    with whole(page) as part:
        warned = [said for one in watched.values() for said in (*one.warnings, *one.refusals)]
        told_of = (customers.path.name, located.told, warned)
        part.write_text(render_list_page(told_of, models, answers.totals, changed, store.currency), "utf-8")
    spool.remove()
    return Scored(
        customers,
        located,
        models,
        answers.totals,
        (files[0], page, *files[1:]),
        changed,
        watched,
        store.currency,
    )


def _watch(store: Store, one: TaskModel, counted: list[BinCounts], settings: ScoreSettings) -> DriftCheck:
    """Return how far a list and its model are from the training, said in the log.

    Raises
    ------
    DriftError
        When a bound of the settings is passed and nobody insists.
    """
    newest = store.data_until(label_kinds(one.model.task))
    watched = check_drift(one.model, drift_of_model(one.model, counted), (one.as_of, newest), settings.drift)
    for said in (*watched.warnings, *(watched.refusals if settings.force else ())):
        log.warning("%s", said)
    watched.refuse(settings.force)
    return watched


@dataclass(frozen=True)
class Written:
    """What is written where: the list, whose its rows are, what is said of them, the file and its kind."""

    customers: CustomerList
    located: Located
    answers: Answers
    out: Path
    kind: str


def _write_outputs(
    connection: "duckdb.DuckDBPyConnection", one: Written, settings: ScoreSettings, spool: Spool
) -> list[Path]:
    """Return the files that have the list with our columns: itself, and those to be sent by the layout."""
    customers, answers = one.customers, one.answers
    form = form_of(customers, answers.columns, one.out)
    with ExitStack() as stack:
        writer = stack.enter_context(writing(one.out, form, one.kind))
        layout = settings.layout
        sent = SendFiles(stack, layout, form, one.out, one.located.column) if layout.columns else None
        count = stack.enter_context(counter(one.located.rows, "Writing the list"))
        lines = json_lines.lines_of(customers.path) if one.kind == customers.format == "json" else None
        for chunk, rows in _joined(connection, customers, spool, settings.chunk_rows):
            told = answers.of(rows)
            own = chunk.table.columns if chunk.table is not None else list(zip(*chunk.rows, strict=True))
            raw = None if lines is None else [next(lines) for _ in range(len(chunk))]
            writer.write([*own, *told.values()], raw)
            if sent is not None:
                # Of columns with one name the first is meant.
                sent.write(dict(reversed([*zip(customers.header, own, strict=True), *told.items()])))
            count(len(chunk), "")
    return [one.out, *(sent.files if sent is not None else [])]


def out_path(customers: CustomerList, settings: ScoreSettings) -> Path:
    """Return where the scored list goes: where it is asked to, else beside the list, `-scored` or `-preview`."""
    if settings.out:
        return Path(settings.out)
    path = customers.path
    stem, suffix = named(path)
    return path.with_name(f"{stem}-{'scored' if settings.limit is None else 'preview'}{suffix}")


def named(path: Path) -> tuple[str, str]:
    """Return a file's name without its ending, and the ending.

    Examples
    --------
    >>> named(Path("clienti.nuovi.csv.gz"))
    ('clienti.nuovi', '.csv.gz')
    """
    packed = ".gz" if path.name.lower().endswith(".gz") else ""
    plain = Path(path.name[: len(path.name) - len(packed)])
    return plain.stem, plain.suffix + path.name[len(path.name) - len(packed) :]


def _told(
    store: Store, customers: CustomerList, models: Sequence[TaskModel], settings: ScoreSettings
) -> list[object]:
    """Return all that the scores of a run depend on."""
    suppressed = digest(Path(settings.suppress)) if settings.suppress else None
    by = [(one.registered.name, one.registered.version, one.registered.run_id, one.as_of) for one in models]
    asked = (settings.key, settings.limit, settings.reasons, settings.language, settings.identity.region)
    tombstones = settings.paths.tombstones
    erased = digest(tombstones) if tombstones.is_file() else None
    acted = (settings.tasks, settings.features, settings.actions, settings.engagement, settings.as_of)
    return [__version__, store.fingerprint, customers.digest, suppressed, by, asked, erased, acted]


def _located(
    connection: "duckdb.DuckDBPyConnection",
    store: Store,
    customers: CustomerList,
    settings: ScoreSettings,
    spool: Spool,
) -> Located:
    found = spool.document(LOCATED)
    if found is not None:
        log.info("An earlier run of this list was not finished; going on where it was")
        return Located(**found)
    keys = Keys(connection, store, settings.source, settings.identity.region)
    key = find_key(customers, keys, settings.key)
    listed = read_list(Path(settings.suppress)) if settings.suppress else None
    suppressed = suppress(connection, keys, listed, settings.chunk_rows)
    if listed is not None:
        log.info("%s customers are on the suppression list '%s'", f"{suppressed:,}", listed.path.name)
    tombstones = read_tombstones(settings.paths.root)
    return locate(connection, customers, keys, key, tombstones, spool, settings.chunk_rows)


def _joined(
    connection: "duckdb.DuckDBPyConnection", customers: CustomerList, spool: Spool, chunk_rows: int
) -> Iterator[tuple[Chunk, pa.Table]]:
    """Yield the list chunk by chunk with its rows' status, reason and scores, in the order of the list."""
    joined = ""
    if any(spool.folder.glob("scores-*.parquet")):
        scores = f"read_parquet({quoted(spool.path('scores-*.parquet'))})"
        kept = f"SELECT * EXCLUDE (customer_id) RENAME (row AS first_row) FROM {scores}"
        joined = f"LEFT JOIN ({kept}) AS scores USING (first_row)"
    if spool.path(ACTED).is_file():
        acted = f"SELECT * RENAME (row AS first_row) FROM read_parquet({quoted(spool.path(ACTED))})"
        joined += f" LEFT JOIN ({acted}) AS acted USING (first_row)"
    reader = connection.sql(
        f"FROM read_parquet({quoted(spool.path(ROWS))}) AS told {joined} ORDER BY told.row"
    ).to_arrow_reader(1 << 14)
    sizes: list[int] = []
    tables = regrouped(reader, iter(sizes.pop, None))
    for chunk in customers.chunks(chunk_rows):
        sizes.append(len(chunk))
        yield chunk, next(tables)

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
from sintonia.evaluation.drift import BinCounts, Watched, drift_of_model, watch
from sintonia.serving.lists.checkpoint import Checkpoint, atomic_write, open_checkpoint
from sintonia.serving.lists.chunks import (
    ACTIONS_FILE,
    ChunkScorer,
    ProposeActions,
    TaskModel,
    percentile_starts,
    read_bin_counts,
    score_chunks,
    write_actions,
)
from sintonia.serving.lists.history import ScoreChange, history_path, score_changes, write_history
from sintonia.serving.lists.layout import SendFiles, check_layout
from sintonia.serving.lists.output_columns import OutputColumns, Totals, output_schema
from sintonia.serving.lists.page import render_list_page
from sintonia.serving.lists.read import Chunk, CustomerList, digest, json_texts, read_list
from sintonia.serving.lists.rows import (
    LOCATED_FILE,
    ROWS_FILE,
    KeyIndex,
    LocatedRows,
    fill_suppressed,
    find_key,
    locate_rows,
    quoted,
    regroup,
)
from sintonia.serving.lists.write import check_excel_size, format_by_ending, open_writer
from sintonia.training.tasks import label_kinds

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class ScoredList:
    """A list that was scored: what was found out of its rows, what was counted, what changed, and the files written."""

    customers: CustomerList
    located: LocatedRows
    models: Sequence[TaskModel]
    totals: Totals
    files: tuple[Path, ...]
    changes: Sequence[ScoreChange] = ()
    watched: Mapping[str, Watched] = field(default_factory=dict)
    currency: str = "EUR"


def score_list(
    connection: "duckdb.DuckDBPyConnection",
    store: Store,
    customers: CustomerList,
    models: Sequence[TaskModel],
    settings: ScoreSettings,
    act: ProposeActions | None = None,
) -> ScoredList:
    """Return what became of a list, now written with what each model says of each row.

    What is finished of a run that was killed is not done again, as long as list, store, models and settings are the
    same; the bytes written are those of a run that nobody disturbed, and do not depend on `chunk_rows`. `act` gives the
    next best actions of the list's customers, all at once, for they share what is scarce.
    """
    out = out_path(customers, settings)
    kind = format_by_ending(out, customers)
    blank = OutputColumns(models, settings.bands, settings.reasons.count, {}, act is not None)
    blank.check(customers)
    check_layout(settings.layout, output_schema(customers, blank.columns, out))
    log.info("'%s' is %s", customers.path.name, customers.told)
    told = _run_identity(store, customers, models, settings)
    spool = open_checkpoint(settings.paths.root, (told, settings.chunk_rows))
    try:
        located = _locate(connection, store, customers, settings, spool)
        check_excel_size(kind, located.rows, len(customers.header) + len(blank.columns))
    except SintoniaError:
        spool.remove()
        raise
    log.info("%s", located.told)
    drop_tables(connection)
    release()
    names = score_chunks(ChunkScorer.of(store, models, settings, located.customers), spool) if models else []
    release()
    if act is not None:
        write_actions(act, spool, settings.language, store.currency)
        release()
    watched = {
        one.task: _watch_drift(store, one, read_bin_counts(spool, names, one.task), settings)
        for one in models
    }
    starts = {one.task: percentile_starts(spool, names, one.task)[0] for one in models}
    answers = OutputColumns(models, settings.bands, settings.reasons.count, starts, act is not None)
    files = _write_outputs(connection, ListToWrite(customers, located, answers, out, kind), settings, spool)
    changed: list[ScoreChange] = []
    if settings.limit is None and models:
        path = history_path(store, customers.path.name.partition(".")[0], told)
        write_history(path, spool, names, models, starts, settings.bands)
        changed, files = score_changes(connection, path), [*files, path]
    page = out.with_name(f"{split_name(out)[0]}.html")
    with atomic_write(page) as part:
        warned = [said for one in watched.values() for said in (*one.warnings, *one.refusals)]
        told_of = (customers.path.name, located.told, warned)
        part.write_text(render_list_page(told_of, models, answers.totals, changed, store.currency), "utf-8")
    spool.remove()
    return ScoredList(
        customers,
        located,
        models,
        answers.totals,
        (files[0], page, *files[1:]),
        changed,
        watched,
        store.currency,
    )


def _watch_drift(store: Store, one: TaskModel, counted: list[BinCounts], settings: ScoreSettings) -> Watched:
    """Return how far a list and its model are from the training, said in the log.

    Raises
    ------
    DriftError
        When a bound of the settings is passed and nobody insists.
    """
    newest = store.data_until(label_kinds(one.model.task))
    watched = watch(one.model, drift_of_model(one.model, counted), (one.as_of, newest), settings.drift)
    for said in (*watched.warnings, *(watched.refusals if settings.force else ())):
        log.warning("%s", said)
    watched.refuse(settings.force)
    return watched


@dataclass(frozen=True)
class ListToWrite:
    """What is written where: the list, whose its rows are, what is said of them, the file and its kind."""

    customers: CustomerList
    located: LocatedRows
    answers: OutputColumns
    out: Path
    kind: str


def _write_outputs(
    connection: "duckdb.DuckDBPyConnection", one: ListToWrite, settings: ScoreSettings, spool: Checkpoint
) -> list[Path]:
    """Return the files that have the list with our columns: itself, and those to be sent by the layout."""
    customers, answers = one.customers, one.answers
    form = output_schema(customers, answers.columns, one.out)
    with ExitStack() as stack:
        writer = stack.enter_context(open_writer(one.out, form, one.kind))
        layout = settings.layout
        sent = SendFiles(stack, layout, form, one.out, one.located.column) if layout.columns else None
        count = stack.enter_context(counter(one.located.rows, "Writing the list"))
        lines = json_texts(customers.path) if one.kind == customers.format == "json" else None
        for chunk, rows in _rows_with_scores(connection, customers, spool, settings.chunk_rows):
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
    stem, suffix = split_name(path)
    return path.with_name(f"{stem}-{'scored' if settings.limit is None else 'preview'}{suffix}")


def split_name(path: Path) -> tuple[str, str]:
    """Return a file's name without its ending, and the ending.

    Examples
    --------
    >>> named(Path("clienti.nuovi.csv.gz"))
    ('clienti.nuovi', '.csv.gz')
    """
    packed = ".gz" if path.name.lower().endswith(".gz") else ""
    plain = Path(path.name[: len(path.name) - len(packed)])
    return plain.stem, plain.suffix + path.name[len(path.name) - len(packed) :]


def _run_identity(
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


def _locate(
    connection: "duckdb.DuckDBPyConnection",
    store: Store,
    customers: CustomerList,
    settings: ScoreSettings,
    spool: Checkpoint,
) -> LocatedRows:
    found = spool.document(LOCATED_FILE)
    if found is not None:
        log.info("An earlier run of this list was not finished; going on where it was")
        return LocatedRows(**found)
    keys = KeyIndex(connection, store, settings.source, settings.identity.region)
    key = find_key(customers, keys, settings.key)
    listed = read_list(Path(settings.suppress)) if settings.suppress else None
    suppressed = fill_suppressed(connection, keys, listed, settings.chunk_rows)
    if listed is not None:
        log.info("%s customers are on the suppression list '%s'", f"{suppressed:,}", listed.path.name)
    tombstones = read_tombstones(settings.paths.root)
    return locate_rows(connection, customers, keys, key, tombstones, spool, settings.chunk_rows)


def _rows_with_scores(
    connection: "duckdb.DuckDBPyConnection", customers: CustomerList, spool: Checkpoint, chunk_rows: int
) -> Iterator[tuple[Chunk, pa.Table]]:
    """Yield the list chunk by chunk with its rows' status, reason and scores, in the order of the list."""
    joined = ""
    if any(spool.folder.glob("scores-*.parquet")):
        scores = f"read_parquet({quoted(spool.path('scores-*.parquet'))})"
        kept = f"SELECT * EXCLUDE (customer_id) RENAME (row AS first_row) FROM {scores}"
        joined = f"LEFT JOIN ({kept}) AS scores USING (first_row)"
    if spool.path(ACTIONS_FILE).is_file():
        acted = f"SELECT * RENAME (row AS first_row) FROM read_parquet({quoted(spool.path(ACTIONS_FILE))})"
        joined += f" LEFT JOIN ({acted}) AS acted USING (first_row)"
    reader = connection.sql(
        f"FROM read_parquet({quoted(spool.path(ROWS_FILE))}) AS told {joined} ORDER BY told.row"
    ).to_arrow_reader(1 << 14)
    sizes: list[int] = []
    tables = regroup(reader, iter(sizes.pop, None))
    for chunk in customers.chunks(chunk_rows):
        sizes.append(len(chunk))
        yield chunk, next(tables)

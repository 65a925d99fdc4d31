"""A list scored end to end: rows matched to customers, customers scored by chunks, the list written."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from sintonia.serving.lists.cells import key_text
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
from sintonia.serving.lists.layout import KEY_COLUMN, SendFiles, check_layout
from sintonia.serving.lists.output_columns import OutputColumns, Totals, column_cells, output_schema
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
    with_header,
)
from sintonia.serving.lists.write import check_excel_size, format_by_ending, open_writer
from sintonia.training.tasks import newest_data

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class ScoredList:
    """A scored list: its rows matched, counts, changes since the last list, drift, and the files written."""

    customers: CustomerList
    located: LocatedRows
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
    act: ProposeActions | None = None,
) -> ScoredList:
    """Return the result of scoring a list, which is written with every model's predictions.

    A killed run resumes from its checkpoint if list, store, models and settings are the same; the output has the same
    bytes as an uninterrupted run's and does not depend on `chunk_rows`. `act` proposes the next best actions of all
    customers of the list at once, because they share budget and capacities.
    """
    keys = KeyIndex(connection, store, settings.source, settings.identity.region)
    customers = with_header(customers, keys, settings.key)
    out = out_path(customers, settings)
    file_format = format_by_ending(out, customers)
    header_columns = OutputColumns(models, settings.bands, settings.reasons.count, {}, act is not None)
    header_columns.check_header(customers)
    check_layout(settings.layout, output_schema(customers, header_columns.columns, out))
    log.info("'%s' is %s", customers.path.name, customers.description)
    run_identity = _run_identity(store, customers, models, settings)
    checkpoint = open_checkpoint(settings.paths.root, (run_identity, settings.chunk_rows))
    try:
        located = _locate(connection, keys, customers, settings, checkpoint)
        check_excel_size(file_format, located.rows, len(customers.header) + len(header_columns.columns))
    except SintoniaError:
        checkpoint.remove()
        raise
    log.info("%s", located.description)
    drop_tables(connection)
    release()
    score_files = (
        score_chunks(ChunkScorer.of(store, models, settings, located.customers), checkpoint) if models else []
    )
    release()
    if act is not None and located.customers:
        write_actions(act, checkpoint, settings.language, store.currency)
        release()
    watched = {
        task_model.task: _watch_drift(
            store, task_model, read_bin_counts(checkpoint, score_files, task_model.task), settings
        )
        for task_model in models
        if located.customers
    }
    starts = {
        task_model.task: percentile_starts(checkpoint, score_files, task_model.task)[0]
        for task_model in models
    }
    output_columns = OutputColumns(models, settings.bands, settings.reasons.count, starts, act is not None)
    files = _write_outputs(
        connection, customers, located, output_columns, out, file_format, settings, checkpoint
    )
    changes: list[ScoreChange] = []
    if settings.limit is None and models:
        path = history_path(store, customers.path.name.partition(".")[0], run_identity)
        write_history(path, checkpoint, score_files, models, starts, settings.bands)
        changes, files = score_changes(connection, path), [*files, path]
    page = out.with_name(f"{split_name(out)[0]}.html")
    with atomic_write(page) as part:
        warnings = [message for drift in watched.values() for message in (*drift.warnings, *drift.refusals)]
        part.write_text(
            render_list_page(
                customers.path.name,
                located.description,
                warnings,
                models,
                output_columns.totals,
                changes,
                store.currency,
            ),
            "utf-8",
        )
    checkpoint.remove()
    return ScoredList(
        customers,
        located,
        models,
        output_columns.totals,
        (files[0], page, *files[1:]),
        changes,
        watched,
        store.currency,
    )


def _watch_drift(
    store: Store, task_model: TaskModel, bin_counts: list[BinCounts], settings: ScoreSettings
) -> DriftCheck:
    """Return the drift of a list and its model from the training data, and log the warnings.

    Raises
    ------
    DriftError
        When drift exceeds a bound of the settings, without `force`.
    """
    newest = newest_data(store, task_model.model.task)
    watched = check_drift(
        task_model.model,
        drift_of_model(task_model.model, bin_counts),
        (task_model.as_of, newest),
        settings.drift,
    )
    for message in (*watched.warnings, *(watched.refusals if settings.force else ())):
        log.warning("%s", message)
    watched.refuse(settings.force)
    return watched


def _write_outputs(
    connection: "duckdb.DuckDBPyConnection",
    customers: CustomerList,
    located: LocatedRows,
    output_columns: OutputColumns,
    out: Path,
    file_format: str,
    settings: ScoreSettings,
    checkpoint: Checkpoint,
) -> list[Path]:
    """Return the files written: the list with our columns, and the send files of the layout."""
    schema = output_schema(customers, output_columns.columns, out)
    with ExitStack() as stack:
        writer = stack.enter_context(open_writer(out, schema, file_format))
        layout = settings.layout
        send_files = SendFiles(stack, layout, schema, out, located.columns) if layout.columns else None
        count = stack.enter_context(counter(located.rows, "Writing the list"))
        lines = json_texts(customers.path) if file_format == customers.format == "json" else None
        for chunk, rows in _rows_with_scores(connection, customers, checkpoint, settings.chunk_rows):
            values = output_columns.values_of(rows)
            own_columns = (
                chunk.table.columns if chunk.table is not None else list(zip(*chunk.rows, strict=True))
            )
            raw_lines = None if lines is None else [next(lines) for _ in range(len(chunk))]
            writer.write([*own_columns, *values.values()], raw_lines)
            if send_files is not None:
                # Of columns with the same name the first is used.
                columns = dict(reversed([*zip(customers.header, own_columns, strict=True), *values.items()]))
                send_files.write({**columns, KEY_COLUMN: _first_given(columns, located.columns)})
            count(len(chunk), "")
        if send_files is not None:
            send_files.finish()
    return [out, *(send_files.files if send_files is not None else [])]


def _first_given(columns: Mapping[str, Any], names: Sequence[str]) -> Any:  # noqa: ANN401
    """Return each row's cell of the first of these columns that is not empty: a key to know the row by."""
    if len(names) == 1:
        return columns[names[0]]
    cells = zip(*(column_cells(columns[name]) for name in names), strict=True)
    return [next((text for cell in row if (text := key_text(cell))), "") for row in cells]


def out_path(customers: CustomerList, settings: ScoreSettings) -> Path:
    """Return the path of the scored list: the requested one, else next to the list, `-scored` or `-preview`."""
    if settings.out:
        return Path(settings.out)
    path = customers.path
    stem, suffix = split_name(path)
    return path.with_name(f"{stem}-{'scored' if settings.limit is None else 'preview'}{suffix}")


def split_name(path: Path) -> tuple[str, str]:
    """Return a file's name without its ending, and the ending.

    Examples
    --------
    >>> split_name(Path("clienti.nuovi.csv.gz"))
    ('clienti.nuovi', '.csv.gz')
    """
    compression = ".gz" if path.name.lower().endswith(".gz") else ""
    name = Path(path.name[: len(path.name) - len(compression)])
    return name.stem, name.suffix + path.name[len(path.name) - len(compression) :]


def _run_identity(
    store: Store, customers: CustomerList, models: Sequence[TaskModel], settings: ScoreSettings
) -> list[object]:
    """Return everything that the scores of a run depend on."""
    suppressed_digest = digest(Path(settings.suppress)) if settings.suppress else None
    versions = [
        (
            task_model.registered.name,
            task_model.registered.version,
            task_model.registered.run_id,
            task_model.as_of,
        )
        for task_model in models
    ]
    options = (settings.key, settings.limit, settings.reasons, settings.language, settings.identity.region)
    tombstones = settings.paths.tombstones
    erased_digest = digest(tombstones) if tombstones.is_file() else None
    action_settings = (
        settings.tasks,
        settings.features,
        settings.actions,
        settings.engagement,
        settings.as_of,
    )
    return [
        __version__,
        store.fingerprint,
        customers.digest,
        suppressed_digest,
        versions,
        options,
        erased_digest,
        action_settings,
    ]


def _locate(
    connection: "duckdb.DuckDBPyConnection",
    keys: KeyIndex,
    customers: CustomerList,
    settings: ScoreSettings,
    checkpoint: Checkpoint,
) -> LocatedRows:
    """Return the rows matched to customers, from the checkpoint of an unfinished run if there is one."""
    located = checkpoint.read_json(LOCATED_FILE)
    if located is not None:
        log.info("An earlier run of this list was not finished; going on where it was")
        return LocatedRows(**located)
    key = find_key(customers, keys, settings.key)
    listed = with_header(read_list(Path(settings.suppress)), keys, None) if settings.suppress else None
    suppressed = fill_suppressed(connection, keys, listed, settings.chunk_rows)
    if listed is not None:
        log.info("%s customers are on the suppression list '%s'", f"{suppressed:,}", listed.path.name)
    tombstones = read_tombstones(settings.paths.root)
    return locate_rows(connection, customers, keys, key, tombstones, checkpoint, settings.chunk_rows)


def _rows_with_scores(
    connection: "duckdb.DuckDBPyConnection", customers: CustomerList, checkpoint: Checkpoint, chunk_rows: int
) -> Iterator[tuple[Chunk, pa.Table]]:
    """Yield the list chunk by chunk with its rows' status, reason and scores, in the order of the list."""
    joined = ""
    if any(checkpoint.folder.glob("scores-*.parquet")):
        scores = f"read_parquet({quoted(checkpoint.path('scores-*.parquet'))})"
        score_query = f"SELECT * EXCLUDE (customer_id) RENAME (row AS first_row) FROM {scores}"
        joined = f"LEFT JOIN ({score_query}) AS scores USING (first_row)"
    if checkpoint.path(ACTIONS_FILE).is_file():
        action_query = (
            f"SELECT * RENAME (row AS first_row) FROM read_parquet({quoted(checkpoint.path(ACTIONS_FILE))})"
        )
        joined += f" LEFT JOIN ({action_query}) AS acted USING (first_row)"
    reader = connection.sql(
        f"FROM read_parquet({quoted(checkpoint.path(ROWS_FILE))}) AS listed {joined} ORDER BY listed.row"
    ).to_arrow_reader(1 << 14)
    sizes: list[int] = []
    tables = regroup(reader, iter(sizes.pop, None))
    for chunk in customers.chunks(chunk_rows):
        sizes.append(len(chunk))
        yield chunk, next(tables)

"""Marketing's own list: read as it is, the customers found, and written back with every row in its place."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from sintonia.config import ScoreSettings, SourceConfig
from sintonia.errors import InputError, hint
from sintonia.interactions import Store
from sintonia.reasons import Speaker
from sintonia.registry import Registered
from sintonia.scoring import Scores
from sintonia.tasks import describe

DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class CustomerList:
    """A list as its file has it: the header, the rows of cells as text, and how the file writes them."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    delimiter: str
    encoding: str
    line_end: str


@dataclass(frozen=True)
class Located:
    """Whose each row is: the column that says it, what kind of key it holds, and the customers, None if unknown."""

    column: str
    key_type: str
    customer_ids: tuple[str | None, ...]

    def known(self) -> set[str]:
        """Return the customers that were found."""
        return {owner for owner in self.customer_ids if owner is not None}


def read_list(path: Path) -> CustomerList:
    """Return the list in a CSV file; delimiter, encoding and line ends are found out. Cells stay text as written.

    Raises
    ------
    InputError
        When the file is missing, is no text, or holds no rows.
    """
    if not path.is_file():
        near = [entry.name for entry in path.parent.glob("*.csv")] if path.parent.is_dir() else []
        raise InputError(f"No list '{path}'; {hint(path.name, near)}")
    text, encoding = _decode(path)
    line_end = "\r\n" if "\r\n" in text else "\n"
    delimiter = _delimiter(text)
    try:
        cells = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error as error:
        raise InputError(f"The list '{path}' cannot be read as CSV: {error}.") from None
    if len(cells) < 2:
        raise InputError(
            f"The list '{path}' has {'a header only' if cells else 'nothing in it'}; give at least one row."
        )
    width = len(cells[0])
    # A short row gets empty cells and a long one keeps its extra ones at the end of its last cell: none is lost.
    rows = tuple(
        (*row[: width - 1], delimiter.join(row[width - 1 :])) if len(row) > width else row
        for row in cells[1:]
    )
    padded = tuple(row + ("",) * (width - len(row)) for row in rows)
    return CustomerList(path, cells[0], padded, delimiter, encoding, line_end)


def locate(customers: CustomerList, store: Store, source: SourceConfig, key: str | None) -> Located:
    """Return whose each row is, by the column `key` or the first column that is named like a key.

    A column named `customer_id`, like a type of identifier (`card`), or like a silo's own column of one
    (`Tessera`) is a key.

    Raises
    ------
    InputError
        When `key` is no column, or no column is named like a key.
    """
    names = _key_names(store, source)
    column = (
        key if key is not None else next((name for name in customers.header if name.lower() in names), None)
    )
    if column is None:
        raise InputError(
            f"No column of '{customers.path.name}' says who a row is; it has {', '.join(customers.header[:8])}. "
            f"Name one {', '.join(sorted(names)[:8])}, or give key=COLUMN."
        )
    if column not in customers.header:
        raise InputError(
            f"'{customers.path.name}' has no column '{column}'; {hint(column, customers.header)}"
        )
    key_types = [names[column.lower()]] if column.lower() in names else ["customer_id", *store.key_types()]
    position = customers.header.index(column)
    cells = [row[position].strip() for row in customers.rows]
    best = max(
        ((kind, _owners(store, kind, cells)) for kind in key_types), key=lambda found: _known(found[1])
    )
    return Located(column, best[0], best[1])


def score_columns(
    located: Located, scores: Scores, registered: Registered, settings: ScoreSettings
) -> dict[str, list[str]]:
    """Return a task's columns for every row of the list: name to cells, empty where the row could not be scored.

    First what the task says: `<task>_propensity`; or `expected_value` and `median_value` in euros; or
    `next_category` with `category_propensity`. `<task>_status` says what became of the row: scored; unknown
    customer; or not eligible, and why.
    """
    task = scores.model.task
    place = {owner: at for at, owner in enumerate(scores.rows.customer_id.tolist())}
    rows = [None if owner is None else place.get(owner) for owner in located.customer_ids]

    def cells(values: Sequence[str]) -> list[str]:
        return ["" if row is None else values[row] for row in rows]

    said = {name: cells(values) for name, values in _said(scores).items()}
    columns = {
        "percentile": cells([str(value) for value in scores.percentile]),
        "band": cells(scores.band),
    }
    columns |= {name: cells(told) for name, told in reason_columns(scores, settings).items()}
    columns["status"] = [
        "unknown customer"
        if owner is None
        else f"not eligible: only {describe(task)[0]}"
        if row is None
        else "scored"
        for owner, row in zip(located.customer_ids, rows, strict=True)
    ]
    columns["as_of"] = cells([f"{scores.as_of:%Y-%m-%d}"] * len(scores.rows))
    columns["model"] = cells([f"{registered.name} v{registered.version}"] * len(scores.rows))
    return said | {f"{task.name}_{name}": values for name, values in columns.items()}


def action_columns(located: Located, proposed: pa.Table) -> dict[str, list[str]]:
    """Return what would be done for each row of the list, "" for who is not known or was reached by the round already.

    next_best_action ('none': nothing), channel, send_at by the customer's clock, effect against doing nothing,
    runner_up, arm, assignment_probability and, in words, why.
    """
    place = {owner: at for at, owner in enumerate(proposed["customer_id"].to_pylist())}
    rows = [None if owner is None else place.get(owner) for owner in located.customer_ids]
    told = {
        "next_best_action": proposed["action_id"].to_pylist(),
        "channel": proposed["channel"].to_pylist(),
        "send_at": pc.strftime(proposed["send_at_local"], format="%Y-%m-%d %H:%M").to_pylist(),
        "effect": [f"{effect:.4f}" for effect in proposed["effect"].to_pylist()],
        "runner_up": proposed["runner_up"].to_pylist(),
        "arm": proposed["arm"].to_pylist(),
        "assignment_probability": [f"{p:.4f}" for p in proposed["assignment_probability"].to_pylist()],
        "next_best_action_reason": proposed["why"].to_pylist(),
    }
    return {
        name: ["" if row is None or values[row] is None else values[row] for row in rows]
        for name, values in told.items()
    }


def _said(scores: Scores) -> dict[str, list[str]]:
    """Return the columns of what a task says of those it scored."""
    if scores.median_cents is not None:
        euros = {"expected_value": scores.outcome, "median_value": scores.median_cents}
        return {name: [f"{cents / 100:.2f}" for cents in values] for name, values in euros.items()}
    found = {f"{scores.model.task.name}_propensity": [f"{value:.6f}" for value in scores.outcome]}
    return found if scores.category is None else {"next_category": list(scores.category)} | found


def reason_columns(scores: Scores, settings: ScoreSettings) -> dict[str, list[str]]:
    """Return `reason_1`, `reason_2`, ... of each scored row, the strongest first, "" where there are fewer."""
    told = Speaker(scores.model, settings.reasons, settings.language).tell(
        scores.rows.values, scores.category
    )
    return {f"reason_{at}": column.tolist() for at, column in enumerate(told.sentences, start=1)}


def write_list(customers: CustomerList, added: Mapping[str, Sequence[str]], path: Path) -> None:
    """Write the list with the added columns behind its own: the same rows in the same order, in the same format.

    The file appears whole or not at all.

    Raises
    ------
    InputError
        When the list has a column of an added name already.
    """
    taken = [name for name in added if name in customers.header]
    if taken:
        raise InputError(
            f"'{customers.path.name}' has a column '{taken[0]}' already; rename or remove it first."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding=customers.encoding, newline="") as file:
        writer = csv.writer(file, delimiter=customers.delimiter, lineterminator=customers.line_end)
        writer.writerow((*customers.header, *added))
        columns = list(added.values())
        writer.writerows((*row, *(column[at] for column in columns)) for at, row in enumerate(customers.rows))
    part.replace(path)


def write_sample(store: Store, key_type: str, path: Path, rows: int = 500) -> None:
    """Write a list as marketing might send it, `<key_type>;note`: keys the store knows, and one it does not."""
    known = sorted(store.read_crosswalk(key_type)["source_key"].to_pylist())
    chosen = [*known[:: max(len(known) // rows, 1)][:rows], "nobody"]
    lines = [f"{key_type};note", *(f"{key};row {at}" for at, key in enumerate(chosen, start=1))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _decode(path: Path) -> tuple[str, str]:
    raw = path.read_bytes()
    if b"\x00" in raw[:4096] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"The list '{path}' is not text; save it as CSV.")
    for encoding in (
        ("utf-16",) if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8", "cp1252", "latin-1")
    ):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return (text[1:], "utf-8-sig") if text.startswith("\ufeff") else (text, encoding)
    raise InputError(f"The list '{path}' is not text; save it as CSV.")


def _delimiter(text: str) -> str:
    first_line = text.split("\n", 1)[0]
    return max(DELIMITERS, key=lambda delimiter: (first_line.count(delimiter), -DELIMITERS.index(delimiter)))


def _key_names(store: Store, source: SourceConfig) -> dict[str, str]:
    """Return what a key column may be called, in lower case, and the type of key it then holds."""
    known = store.key_types()
    names = {kind.lower(): kind for kind in known}
    for silo in source.silos.values():
        names |= {
            column.lower(): kind
            for kind, column in silo.identifiers.items()
            if kind in known and column.isidentifier()
        }
    return names | {"customer_id": "customer_id"}


def _owners(store: Store, key_type: str, cells: Sequence[str]) -> tuple[str | None, ...]:
    if key_type == "customer_id":
        known = {customer: customer for customer in store.customer_ids()}
        merged = store.read_merges()
        known |= dict(zip(merged["customer_id"].to_pylist(), merged["merged_into"].to_pylist(), strict=True))
        return tuple(known.get(cell) for cell in cells)
    table = store.read_crosswalk(key_type)
    owners = dict(zip(table["source_key"].to_pylist(), table["customer_id"].to_pylist(), strict=True))
    # E-mail addresses are stored in lower case, the one identifier for which case means nothing.
    return tuple(owners.get(cell.lower() if key_type == "email" else cell) for cell in cells)


def _known(owners: Sequence[str | None]) -> int:
    return sum(owner is not None for owner in owners)

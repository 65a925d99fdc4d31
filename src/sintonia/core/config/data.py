"""The groups `engine`, `source` and `identity`: raw silos to customers."""

import re
from dataclasses import dataclass, field

from sintonia.core.config.checks import at_least, iso_time, one_of
from sintonia.core.errors import ConfigError


@dataclass(frozen=True)
class EngineConfig:
    """How work runs: threads, memory, into how many buckets the store is cut, and what computed features may take.

    `feature_cache_gib` of disk keep computed features for the next training; 0 keeps none.
    """

    name: str = "duckdb"
    threads: int = 2
    memory_gib: float = 2.0
    buckets: int = 16
    feature_cache_gib: float = 4.0

    def __post_init__(self) -> None:
        """Refuse an engine that does not exist and sizes that cannot work."""
        one_of("engine", self.name, ("duckdb",))
        at_least("engine.threads", self.threads, 1)
        at_least("engine.memory_gib", self.memory_gib, 0.25)
        at_least("engine.buckets", self.buckets, 1)
        at_least("engine.feature_cache_gib", self.feature_cache_gib, 0)


@dataclass(frozen=True)
class CsvConfig:
    """How a silo writes its text files; what is null is found out from them, file by file and column by column."""

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        """Refuse signs that part nothing."""
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise ConfigError(
                f"csv.delimiter={self.delimiter!r} is no delimiter; give one character, as ';'."
            )
        if self.decimal is not None:
            one_of("csv.decimal", self.decimal, (".", ","))


@dataclass(frozen=True)
class JoinConfig:
    """A second file of the silo, joined to the first by columns both have; unmatched rows stay."""

    path: str = ""
    columns: list[str] = field(default_factory=list)
    csv: CsvConfig = field(default_factory=CsvConfig)


FORMATS = ("csv", "jsonl", "parquet")
KEEP = ("versions", "distinct", "all")
"""Which rows of a silo count where several are one row: its versions, identical ones once in any file, or all."""


@dataclass(frozen=True)
class SiloConfig:
    """One silo: where its files are, how to read them, and what each column means in our contracts.

    The values of `identifiers`, `occurred_at`, `known_at`, `interactions`, `attributes`, `contacts` and
    `decisions` are SQL expressions over the silo's own columns (a plain column name is one); `number(x)`
    reads a number as the silo writes it. `constants` are literal values, `values` renames what an expression
    gave. `where`, a condition in the same language, says which rows of the files are the silo's, so that two silos
    can read one file. `currency` is that of the silo's amounts, a code as EUR or an expression that gives one (the
    brand's own when null); `returns` says how amounts of returns are written, `negative` or `positive`. `format` is
    csv, jsonl or parquet, or a reader of one's own, `folder/my_format.py:read`: a function from a file's path to a
    table. Silos that name the same `threads` share their thread ids: a case opened in one may be closed in another.

    Rows with the same `interaction_id` are versions of one row, of which the newest counts: by `updated_at`, else by
    arrival. A row for which the condition `deleted` holds ends the earlier versions of its id. `keep` says what
    happens to rows without an id: of identical ones in several files each counts once (`versions`), of identical ones
    anywhere (`distinct`), or every row counts, whatever its id (`all`).
    """

    path: str = ""
    format: str = "csv"
    csv: CsvConfig = field(default_factory=CsvConfig)
    time_zone: str = "UTC"
    time_format: str | None = None
    data_until: str | None = None
    where: str | None = None
    currency: str | None = None
    returns: str = "negative"
    threads: str | None = None
    join: dict[str, JoinConfig] = field(default_factory=dict)
    identifiers: dict[str, str] = field(default_factory=dict)
    occurred_at: str = "occurred_at"
    known_at: str | None = None
    updated_at: str | None = None
    deleted: str | None = None
    keep: str = "versions"
    interactions: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    contacts: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a format nobody reads and a silo that could never be tied to a customer."""
        if ":" not in self.format:
            one_of("format", self.format, FORMATS)
        one_of("keep", self.keep, KEEP)
        one_of("returns", self.returns, ("negative", "positive"))
        if not self.identifiers:
            raise ConfigError(f"The silo at '{self.path}' names no identifiers; give at least one.")
        has_id = "interaction_id" in self.interactions or "decision_id" in self.decisions
        for key in ("updated_at", "deleted"):
            if getattr(self, key) is not None and not has_id:
                raise ConfigError(
                    f"The silo at '{self.path}' maps {key}, but no id that says which row is meant; "
                    "map interactions.interaction_id."
                )
        if self.keep == "all" and (self.deleted is not None or self.updated_at is not None):
            raise ConfigError(
                f"The silo at '{self.path}' keeps all rows, so none is deleted or updated; remove keep: all, "
                "or deleted and updated_at."
            )
        if self.keep == "all" and self.decisions:
            raise ConfigError(
                f"The silo at '{self.path}' maps decisions, of which an id names one; remove keep: all."
            )


@dataclass(frozen=True)
class SourceConfig:
    """A set of silos. Rows that occurred at or after `until` are not read.

    Dates before `not_before` and after `today` are not credible.

    `currency` is the brand's own, as ISO 4217 writes it, in which all amounts are stored. `rates` is a CSV file of the
    source's folder with columns date, currency and rate: what one unit of that currency is worth in the brand's own
    from that date on. `placeholders` are texts that stand for no identifier in the brand's silos, besides those that
    every source knows (`NULL`, `N/A`, `-`, `0` and others).
    """

    name: str = ""
    root: str | None = None
    until: str | None = None
    today: str | None = None
    not_before: str = "1990-01-02"
    currency: str = "EUR"
    rates: str | None = None
    placeholders: list[str] = field(default_factory=list)
    silos: dict[str, SiloConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse invalid dates and currency codes."""
        for key in ("until", "today", "not_before"):
            if (text := getattr(self, key)) is not None:
                iso_time(f"source.{key}", text)
        if not re.fullmatch("[A-Z]{3}", self.currency):
            raise ConfigError(
                f"source.currency='{self.currency}' is not a currency code; write three capital letters, as EUR."
            )


SURVIVORSHIP = ("most_recent", "most_frequent", "source_priority", "most_complete")
"""Which of several values of one attribute the golden record takes."""


@dataclass(frozen=True)
class IdentityConfig:
    """How records become customers.

    `deterministic` ties what shares an identifier; `probabilistic` also what names, dates and addresses say.
    `survivorship` says by attribute which value survives (`default` for the others), `value_groups` which
    attributes survive as a unit, `source_priority` which silos go first. What an earlier build decided stands
    unless `relearn`; `weights` is the folder of what another build learned, to match with. An identifier that is not
    `shareable` and stands with more than `most_persons` birth dates or names identifies nobody; with `weights`, those
    that stood so in that build.
    """

    name: str = "deterministic"
    match_probability: float = 0.5
    region: str = "IT"
    shareable: list[str] = field(default_factory=list)
    persons_per_identifier: int = 1
    most_persons: int = 3
    hold_implausible: bool = True
    overrides: str | None = None
    weights: str | None = None
    relearn: bool = False
    survivorship: dict[str, str] = field(default_factory=dict)
    value_groups: dict[str, list[str]] = field(default_factory=dict)
    source_priority: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse a way of matching, a probability and a rule of survivorship that do not exist."""
        one_of("identity", self.name, ("deterministic", "probabilistic"))
        if not 0 < self.match_probability < 1:
            raise ConfigError(
                f"identity.match_probability={self.match_probability} is no probability; give 0 < p < 1."
            )
        at_least("identity.persons_per_identifier", self.persons_per_identifier, 1)
        at_least("identity.most_persons", self.most_persons, 1)
        for rule in self.survivorship.values():
            one_of("rule under identity.survivorship:", rule, SURVIVORSHIP)

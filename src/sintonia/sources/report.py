"""What became of a silo's rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class SiloReport:
    """Counts of a silo's rows: rows = stored + rejected; rows after `until` are not read and stand apart.

    `kinds` are the kinds of interaction the silo tells of, and `data_until` says until when it is complete.
    """

    name: str
    rows: int
    stored: int
    rejected: int
    after_until: int
    reasons: Mapping[str, int]
    data_until: datetime | None
    kinds: tuple[str, ...]

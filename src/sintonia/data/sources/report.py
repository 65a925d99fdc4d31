"""What became of a silo's rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sintonia.core.errors import NotEnoughDataError


@dataclass(frozen=True)
class SiloReport:
    """Counts of a silo's rows: rows = stored + rejected; rows after `until` are not read and stand apart.

    `kinds` are the kinds of interaction the silo tells of, `data_until` says until when it is complete, and
    `own_known_at` whether its mapping says when a row became known, or falls back to when it occurred.
    """

    name: str
    rows: int
    stored: int
    rejected: int
    after_until: int
    reasons: Mapping[str, int]
    data_until: datetime | None
    kinds: tuple[str, ...]
    own_known_at: bool = False


def require_interactions(source_name: str, silos: Sequence[SiloReport]) -> None:
    """Refuse a source of which no interaction could be kept, with the commonest reasons.

    Raises
    ------
    NotEnoughDataError
        When no silo tells of any kind of interaction.
    """
    if any(silo.kinds for silo in silos):
        return
    reasons: Counter[str] = sum((Counter(silo.reasons) for silo in silos), Counter())
    told = (
        ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(3))
        or "the silos are empty"
    )
    raise NotEnoughDataError(
        f"No interaction of source '{source_name}' could be stored: {told}. See the rejected rows."
    )

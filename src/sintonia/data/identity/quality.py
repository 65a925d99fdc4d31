"""How well clusters agree with the truth, where it is known: over pairs, and over records (B-cubed)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sintonia.core.errors import InputError

Labels = Sequence[object] | NDArray[np.generic]


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision (what was joined belongs together), recall (what belongs together was joined), their F1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True)
class Quality:
    """Agreement over pairs, where a cluster weighs by its square, and over records, all weighing the same."""

    pairwise: PrecisionRecall
    b_cubed: PrecisionRecall
    records: int
    clusters: int
    people: int


def quality(clusters: Labels, truth: Labels) -> Quality:
    """Return the agreement of clusters with the truth, both given as one label per record in the same order.

    B-cubed is Bagga and Baldwin's: of each record's cluster mates (itself included) the share that are truly
    its own, and of its own the share in its cluster, averaged over records. Without any pair, precision is 1.

    Raises
    ------
    InputError
        When there are no records or the two are of different length.

    Examples
    --------
    Three records of one person, the third left out: one of three pairs found, none wrong.

    >>> found = quality(["x", "x", "y"], ["p", "p", "p"])
    >>> found.pairwise
    PrecisionRecall(precision=1.0, recall=0.3333333333333333)
    >>> round(found.b_cubed.recall, 3)
    0.556
    """
    if not len(clusters) or len(clusters) != len(truth):
        raise InputError(
            f"{len(clusters)} cluster labels and {len(truth)} true ones; give as many, and at least one."
        )
    cluster, person = _coded(clusters), _coded(truth)
    both = _coded(cluster * (int(person.max()) + 1) + person)
    of_cluster, of_person, of_both = (np.bincount(labels) for labels in (cluster, person, both))
    found, right, true = (_count_pairs(counts) for counts in (of_cluster, of_both, of_person))
    shared = of_both[both]
    return Quality(
        pairwise=PrecisionRecall(right / found if found else 1.0, right / true if true else 1.0),
        b_cubed=PrecisionRecall(
            float(np.mean(shared / of_cluster[cluster])), float(np.mean(shared / of_person[person]))
        ),
        records=len(cluster),
        clusters=len(of_cluster),
        people=len(of_person),
    )


def _coded(labels: Labels) -> NDArray[np.int64]:
    values = np.asarray(labels)
    text = values if values.dtype.kind in "iu" else values.astype(str)
    codes: NDArray[np.int64] = np.unique(text, return_inverse=True)[1].astype(np.int64)
    return codes


def _count_pairs(counts: NDArray[np.int64]) -> int:
    return int((counts * (counts - 1) // 2).sum())

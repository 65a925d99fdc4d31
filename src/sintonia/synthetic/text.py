"""Times and money as the silos write them."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Ints, Texts, Times
from sintonia.synthetic.arrays import objects


def iso_z(times: Times) -> Texts:
    """Return UTC times as 2026-03-02T06:14:31Z; a missing time is None.

    Examples
    --------
    >>> iso_z(np.array(["2026-03-02T06:14:31", "NaT"], "M8[us]")).tolist()
    ['2026-03-02T06:14:31Z', None]
    """
    written = np.datetime_as_string(times, unit="s").tolist()
    return objects([None if text == "NaT" else text + "Z" for text in written])


def italian(times: Times) -> tuple[Texts, Texts]:
    """Return local times as dates dd/mm/yyyy and hours HH:MM.

    Examples
    --------
    >>> [column.tolist() for column in italian(np.array(["2026-03-02T06:14:31"], "M8[us]"))]
    [['02/03/2026'], ['06:14']]
    """
    written = np.datetime_as_string(times, unit="m").tolist()
    days = objects([f"{text[8:10]}/{text[5:7]}/{text[:4]}" for text in written])
    return days, objects([text[11:] for text in written])


def comma(cents: Ints) -> Texts:
    """Return cents as euros with a decimal comma.

    Examples
    --------
    >>> comma(np.array([-1250, 5])).tolist()
    ['-12,50', '0,05']
    """
    return objects([f"{value / 100:.2f}".replace(".", ",") for value in cents.tolist()])


def text_array(values: "pd.Series[str] | Texts") -> pa.Array:
    """Return texts as an Arrow column, missing ones null."""
    return pa.Array.from_pandas(values, type=pa.string())

"""What a notebook calls: the verbs on frames, asked for in the words of the command line."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from sintonia import pipelines
from sintonia.config import ScoreSettings
from sintonia.config.compose import compose

if TYPE_CHECKING:
    import pandas as pd


def score(customers: "pd.DataFrame", *words: str) -> "pd.DataFrame":
    """Return the frame with the columns behind its own that `sintonia score` gives a list: a row in, a row out.

    Parameters
    ----------
    customers
        One row a customer, who is told by one of its columns: a customer id, any silo's key, an e-mail address or a
        telephone number.
    words
        What else would be written behind `sintonia score`, as "workspace=workspace/shop", "tasks=[churn]", "key=card".

    Raises
    ------
    SintoniaError
        For what the command line would say in one line.
    """
    import pandas as pd

    with TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "frame.parquet", Path(folder) / "frame-scored.parquet"
        customers.reset_index(drop=True).to_parquet(asked)
        settings = compose("score", [*words, f"list={asked}", f"out={answered}"])
        pipelines.score(cast(ScoreSettings, settings))
        scored = pd.read_parquet(answered)
    return scored.set_index(customers.index)

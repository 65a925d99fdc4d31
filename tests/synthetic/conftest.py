"""One small brand for all tests of this folder, and readers of its silos."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from omegaconf import OmegaConf

from sintonia.core.config import SiloConfig, SimulateSettings, SourceConfig, conf_dir
from sintonia.core.config.convert import from_plain
from sintonia.synthetic import SimulationSummary, simulate

CUSTOMERS = 2000


def sql(expression: str) -> str:
    """Return an expression of a mapping in DuckDB's syntax, where a column name may contain a space."""
    return expression if "(" in expression or "'" in expression else f'"{expression}"'


COMMA, UTF_8 = ",", "utf-8"


@dataclass(frozen=True)
class Brand:
    """A simulated brand: its workspace, its summary and its source as the configuration describes it."""

    folder: Path
    summary: SimulationSummary
    source: SourceConfig

    def read(self, silo: str, columns: str = "*") -> pd.DataFrame:
        """Return a silo's raw rows; every format except Parquet is text."""
        config = self.source.silos[silo]
        path = self.folder / "silos" / config.path
        reader = {
            "parquet": f"'{path}'",
            "csv": f"read_csv('{path}', all_varchar = true, delim = '{config.csv.delimiter or COMMA}', "
            f"encoding = '{config.csv.encoding or UTF_8}')",
            "jsonl": f"read_json('{path}', format = 'newline_delimited')",
        }[config.format]
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.sql(f"SELECT {columns} FROM {reader}").to_arrow_table().to_pandas()

    def truth(self, name: str) -> pd.DataFrame:
        """Return a table of the truth."""
        return pd.read_parquet(self.folder / "truth" / f"{name}.parquet")

    def identifiers(self, silo: str) -> list[tuple[tuple[str, str], ...]]:
        """Return the distinct combinations of (type, key) in the rows of a silo."""
        mapping = self.source.silos[silo].identifiers
        read = {"email": "lower(trim({}))"}
        columns = ", ".join(
            f"{read.get(kind, 'trim({})').format(sql(of))} AS {kind}" for kind, of in mapping.items()
        )
        rows = self.read(silo, f"DISTINCT {columns}").to_dict("records")
        return [tuple((kind, key) for kind, key in row.items() if isinstance(key, str)) for row in rows]


def source() -> SourceConfig:
    """Return the source as `conf/source/synthetic.yaml` describes it."""
    group = OmegaConf.load(conf_dir() / "source" / "synthetic.yaml")
    raw = OmegaConf.to_container(OmegaConf.create({"workspace": "w", "source": group}), resolve=True)
    return from_plain(SourceConfig, raw["source"], "source")


@pytest.fixture(scope="session")
def brand(tmp_path_factory) -> Brand:
    folder = tmp_path_factory.mktemp("brand")
    return Brand(folder, simulate(SimulateSettings(customers=CUSTOMERS), folder), source())


@pytest.fixture(scope="session")
def silo_configs() -> dict[str, SiloConfig]:
    return source().silos

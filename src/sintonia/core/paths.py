"""Where everything of a workspace lies: each folder and file name is written here and nowhere else.

`WorkspacePaths` names the files of a brand's workspace, `StorePaths` those of one version of its store. Neither
touches the disk: a path is named whether or not anything is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SCRATCH_PREFIX = ".scratch-"
"""How the folders of scratch databases begin; one that is left behind belongs to a killed run."""

CHECKPOINT_PREFIX = ".scoring-"
"""How the folders begin in which the scoring of a list keeps what is finished."""

VERSION_PREFIX = "v-"
"""How the folders of the store's versions begin."""

IDENTITY = "identity"
REJECTED = "rejected"
REVIEW = "review"
STORE = "store"


def in_home(path: str) -> str:
    """Return a path with the home folder in the place of a leading `~`, which a shell leaves in `list=~/customers.csv`.

    Examples
    --------
    >>> in_home("lists/customers.csv"), in_home("~/customers.csv") == str(Path.home() / "customers.csv")
    ('lists/customers.csv', True)
    """
    return str(Path(path).expanduser()) if path == "~" or path.startswith("~/") else path


@dataclass(frozen=True)
class StorePaths:
    """The files of one version of the store.

    Examples
    --------
    >>> StorePaths(Path("store/v-1")).table("crosswalk").as_posix()
    'store/v-1/crosswalk.parquet'
    """

    folder: Path

    def table(self, name: str) -> Path:
        """Return the file of a table that is stored in one piece."""
        return self.folder / f"{name}.parquet"

    @property
    def attributes(self) -> Path:
        """The attributes of every customer with their history, in one piece."""
        return self.table("attributes")

    @property
    def contacts(self) -> Path:
        """Names, addresses and telephone numbers, which no feature reads."""
        return self.table("contacts")

    @property
    def crosswalk(self) -> Path:
        """Which identifier belongs to which customer, from when until when."""
        return self.table("crosswalk")

    @property
    def merges(self) -> Path:
        """Which customer became part of which."""
        return self.table("merges")

    @property
    def decisions(self) -> Path:
        """The decisions that the silos and the rounds recorded."""
        return self.table("decisions")

    @property
    def interactions(self) -> Path:
        """The folder of the interactions, a Parquet file a bucket."""
        return self.folder / "interactions"

    def bucket(self, table: str, number: int) -> Path:
        """Return the file of a table's rows of one bucket of customers."""
        return self.folder / table / f"bucket-{number:04d}.parquet"

    @property
    def identity(self) -> Path:
        """The folder of what the build decided about identities, from which the next build goes on."""
        return self.folder / IDENTITY


@dataclass(frozen=True)
class WorkspacePaths:
    """The folders and files of one brand's workspace.

    Examples
    --------
    >>> paths = WorkspacePaths(Path("workspace/shop"))
    >>> paths.store_pointer.as_posix(), paths.rejected_rows("crm").as_posix()
    ('workspace/shop/store/current.json', 'workspace/shop/rejected/crm.parquet')
    """

    root: Path

    # What the brand gives, or the synthetic brand in its place.

    @property
    def silos(self) -> Path:
        """The folder of the synthetic brand's raw silos."""
        return self.root / "silos"

    @property
    def truth(self) -> Path:
        """The folder of what is true of the synthetic brand, apart from its silos."""
        return self.root / "truth"

    @property
    def true_records(self) -> Path:
        """Who stands behind each record of the synthetic brand."""
        return self.truth / "records.parquet"

    # What a build writes.

    @property
    def manifest(self) -> Path:
        """The workspace's own format and who made it."""
        return self.root / "workspace.json"

    @property
    def store(self) -> Path:
        """The folder of the store: its versions, and the pointer to the current one."""
        return self.root / STORE

    @property
    def store_pointer(self) -> Path:
        """The file that names the current version of the store; replacing it is what makes a version current."""
        return self.store / "current.json"

    def store_version(self, version: str) -> StorePaths:
        """Return the files of a version of the store."""
        return StorePaths(self.store / version)

    def store_versions(self) -> Iterator[Path]:
        """Yield the folders of the store's versions, also those that a killed build left behind."""
        return self.store.glob(f"{VERSION_PREFIX}*")

    @property
    def rejected(self) -> Path:
        """The folder of rejected rows with their reasons."""
        return self.root / REJECTED

    def rejected_rows(self, silo: str) -> Path:
        """Return the file of a silo's rejected rows."""
        return self.rejected / f"{silo}.parquet"

    @property
    def identity(self) -> Path:
        """The folder of what people should look at: golden records, findings, the report."""
        return self.root / IDENTITY

    @property
    def golden_records(self) -> Path:
        """The golden record: the best known value of each field of each customer."""
        return self.identity / "customers.parquet"

    def identity_finding(self, name: str) -> Path:
        """Return the file of pairs or identifiers that a person should look at: held, borderline or shared."""
        return self.identity / f"{name}.parquet"

    @property
    def identity_report(self) -> Path:
        """The page on the quality of the customers' identities."""
        return self.identity / "report.html"

    @property
    def tombstones(self) -> Path:
        """Hashes of who was erased and must not return; a build reads the file and never writes it."""
        return self.root / "erased.json"

    # What training writes.

    @property
    def features(self) -> Path:
        """The folder of features kept for the next training, a folder a store and configuration."""
        return self.root / "features"

    @property
    def tuning(self) -> Path:
        """The database of searches for hyperparameters."""
        return self.root / "tuning.db"

    @property
    def tracking_database(self) -> Path:
        """MLflow's runs and models, where no tracking server is configured."""
        return self.root / "mlflow.db"

    @property
    def tracking_files(self) -> Path:
        """The folder of the runs' files, where no tracking server is configured."""
        return self.root / "mlflow"

    @property
    def pseudonym_key(self) -> Path:
        """The key by which customers are named in runs; it never leaves the workspace."""
        return self.root / "pseudonyms.key"

    @property
    def samples(self) -> Path:
        """The folder of who the customers on runs' pages are; these files never leave the workspace."""
        return self.root / "samples"

    def sample(self, run_id: str) -> Path:
        """Return the file of who the customers on a run's pages are."""
        return self.samples / f"{run_id}.parquet"

    @property
    def effects(self) -> Path:
        """What each action would change for each customer, for `sintonia decide` to choose by."""
        return self.root / "effects.parquet"

    # What people read.

    @property
    def review(self) -> Path:
        """The folder of review pages."""
        return self.root / REVIEW

    def review_page(self, task: str) -> Path:
        """Return the review page of a task's candidate."""
        return self.review / f"{task}.html"

    @property
    def cards(self) -> Path:
        """The folder of the model cards of what was promoted."""
        return self.root / "models"

    # What serving writes.

    @property
    def rounds(self) -> Path:
        """The folder of the rounds of decisions that were planned, a Parquet file and a report a round."""
        return self.root / "decisions"

    def round_files(self) -> list[Path]:
        """Return the files of the planned rounds' decisions, in the order of their names."""
        return sorted(self.rounds.glob("*.parquet"))

    @property
    def scores(self) -> Path:
        """The folder of the scores that lists were given, a Parquet file a list and run."""
        return self.root / "scores"

    @property
    def sample_list(self) -> Path:
        """The list of customers that `sintonia demo` scores."""
        return self.root / "list.csv"

    def scored_list(self, name: str) -> Path:
        """Return where a list goes that has no file of its own: a table of a database, or a segment."""
        return self.root / f"{name}.csv"

    # What is there only while a run works, or after one was killed.

    def scratch_folders(self) -> Iterator[Path]:
        """Yield the folders of scratch databases."""
        return self.root.glob(f"{SCRATCH_PREFIX}*")

    def checkpoint(self, name: str) -> Path:
        """Return the folder in which the scoring of a list keeps what is finished."""
        return self.root / f"{CHECKPOINT_PREFIX}{name}"

    def checkpoints(self) -> Iterator[Path]:
        """Yield the folders in which scoring keeps what is finished, also those of killed runs."""
        return self.root.glob(f"{CHECKPOINT_PREFIX}*")


def scratch_database(scratch: Path) -> Path:
    """Return the database of a scratch folder."""
    return scratch / "scratch.duckdb"

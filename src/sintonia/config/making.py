"""The settings of the verbs that make a store, know its customers and forget them."""

from dataclasses import dataclass, field

from sintonia.config.base import Settings
from sintonia.config.data import IdentityConfig
from sintonia.config.rules import at_least, iso_time
from sintonia.errors import ConfigError


@dataclass(frozen=True)
class SimulateSettings(Settings):
    """`sintonia simulate`: the synthetic brand's size, seed and dates."""

    customers: int = 5000
    seed: int = 7
    start: str = "2024-07-01"
    end: str = "2026-07-01"

    def __post_init__(self) -> None:
        """Refuse an empty brand and dates that are none."""
        super().__post_init__()
        at_least("customers", self.customers, 1)
        if iso_time("end", self.end) <= iso_time("start", self.start):
            raise ConfigError(f"end={self.end} is not after start={self.start}.")


@dataclass(frozen=True)
class BuildSettings(Settings):
    """`sintonia build`: silos to store."""

    identity: IdentityConfig = field(default_factory=IdentityConfig)


@dataclass(frozen=True)
class IdentitySettings(Settings):
    """`sintonia identity`: the report of the workspace's customers, of one of them, or of a table of person records."""

    identity: IdentityConfig = field(default_factory=IdentityConfig)
    records: str | None = None
    truth: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    customer: str | None = None
    examples: int = 5
    out: str | None = None

    def __post_init__(self) -> None:
        """Refuse fewer examples than none, and to explain a customer of a table that has none yet."""
        super().__post_init__()
        at_least("examples", self.examples, 0)
        if self.customer is not None and self.records is not None:
            raise ConfigError(
                "customer= explains a customer of the workspace, records= matches a file by itself; give one of them."
            )


@dataclass(frozen=True)
class ForgetSettings(Settings):
    """`sintonia forget`: who is to be removed from the workspace, by customer id or `type:value`."""

    customer: str = ""

    def __post_init__(self) -> None:
        """Refuse to forget nobody."""
        super().__post_init__()
        if not self.customer.strip():
            raise ConfigError("forget needs a customer; write customer=ID or customer=email:ADDRESS.")

"""What the settings of every verb have."""

from dataclasses import dataclass, field

from sintonia.config.data import EngineConfig, SourceConfig
from sintonia.config.rules import one_of

Names = list[str]
"""A list of names; spelt apart because `ScoreSettings` has a field called list."""


@dataclass(frozen=True)
class Settings:
    """What every verb has: where its files are, how it speaks, which silos and engine it works on."""

    workspace: str = "workspace"
    output: str = "text"
    engine: EngineConfig = field(default_factory=EngineConfig)
    source: SourceConfig = field(default_factory=SourceConfig)

    def __post_init__(self) -> None:
        """Refuse an output nobody prints."""
        one_of("output", self.output, ("text", "json"))

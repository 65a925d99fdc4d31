"""A store built from a folder of small files, for tests."""

from collections.abc import Mapping
from pathlib import Path

from sintonia.api.pipelines import build
from sintonia.core.config import BuildSettings, EngineConfig, IdentityConfig, SiloConfig, SourceConfig
from sintonia.data.store import Store, open_store


def build_store(
    root: Path,
    silos: Mapping[str, SiloConfig],
    until: str | None = None,
    identity: IdentityConfig | None = None,
    currency: str = "EUR",
    **engine: int,
) -> Store:
    """Return the store of silos whose files lie in `root`, built in the workspace `root/workspace`."""
    source = SourceConfig(
        name="toy",
        root=str(root),
        until=until,
        today="2026-01-01",
        currency=currency,
        silos=dict(silos),
    )
    workspace = root / "workspace"
    build(
        BuildSettings(
            workspace=str(workspace),
            engine=EngineConfig(**{"buckets": 3, **engine}),
            source=source,
            identity=identity or IdentityConfig(),
        )
    )
    return open_store(workspace)

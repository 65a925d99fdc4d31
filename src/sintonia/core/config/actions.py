"""The group `actions`: what a brand can do to its customers, by name; learning effects and deciding read the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sintonia.core.config.checks import at_least
from sintonia.core.errors import ConfigError

NONE = "none"
"""The action of doing nothing, for which no configuration is needed."""

NEXT_BEST_ACTION = "next_best_action"
"""The task that learns what actions change, and for which lists and rounds choose actions."""


@dataclass(frozen=True)
class ActionConfig:
    """An action: its channel, what a contact costs, its lever, whether it sells, whether it needs consent, attributes.

    The cost is in the brand's currency; without one, learning takes what the log says it cost on average, and deciding
    nothing. The lever multiplies its worth: the business wants it more (above 1) or less. What does not sell may be
    done while a complaint is open. Actions that share a number among their attributes share what is learned of them.
    """

    channel: str = ""
    cost: float | None = None
    lever: float = 1.0
    selling: bool = True
    needs_consent: bool = True
    attributes: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse costs and levers below nothing."""
        at_least("actions cost", 0 if self.cost is None else self.cost, 0)
        at_least("actions lever", self.lever, 0)


def check_actions(actions: Mapping[str, ActionConfig]) -> None:
    """Refuse an action named like doing nothing.

    Raises
    ------
    ConfigError
        When one is called 'none'.
    """
    if NONE in actions:
        raise ConfigError("actions names 'none', which is always there: doing nothing.")


def check_channels(actions: Mapping[str, ActionConfig]) -> None:
    """Refuse an action that happens nowhere: who decides has to know on which channel.

    Raises
    ------
    ConfigError
        When one has no channel.
    """
    for name, action in actions.items():
        if not action.channel:
            raise ConfigError(f"actions.{name} has no channel; write actions.{name}.channel=CHANNEL.")

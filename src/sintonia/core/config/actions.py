"""The group `actions`: the actions of a brand by name, which learning effects and deciding both read."""

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
    """An action: its channel, cost of a contact, lever, and whether it sells and needs consent, and attributes.

    The cost is in the brand's currency; without one, learning uses the average cost in the log, and deciding 0. The
    lever multiplies the worth: above 1 the business prefers the action, below 1 it avoids it. An action that does not
    sell is allowed while a complaint is open. Effects are learned jointly for actions with common numeric attributes.
    """

    channel: str = ""
    cost: float | None = None
    lever: float = 1.0
    selling: bool = True
    needs_consent: bool = True
    attributes: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse negative costs and levers."""
        at_least("actions cost", 0 if self.cost is None else self.cost, 0)
        at_least("actions lever", self.lever, 0)


def check_actions(actions: Mapping[str, ActionConfig]) -> None:
    """Refuse an action named 'none', which is reserved for doing nothing.

    Raises
    ------
    ConfigError
        When one is called 'none'.
    """
    if NONE in actions:
        raise ConfigError("actions names 'none', which is always there: doing nothing.")


def check_channels(actions: Mapping[str, ActionConfig]) -> None:
    """Refuse an action without a channel, which a round cannot carry out.

    Raises
    ------
    ConfigError
        When one has no channel.
    """
    for name, action in actions.items():
        if not action.channel:
            raise ConfigError(f"actions.{name} has no channel; write actions.{name}.channel=CHANNEL.")

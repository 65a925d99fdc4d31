"""What there is not enough of: contacts on a channel, an agent's day, a budget; and what must be used."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sintonia.decision.kernels import LimitMatrix
from sintonia.errors import ConfigError


@dataclass(frozen=True)
class Limit:
    """`weight` (n_options,) is what one choice of each option takes; all together take `at_least` to `at_most`.

    A capacity weighs contacts (1 each), a budget weighs cents. Doing nothing, option 0, takes nothing of anything.
    """

    name: str
    weight: NDArray[np.float64]
    at_most: float = np.inf
    at_least: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a limit that nothing could keep."""
        if self.at_most < 0 or self.at_least > self.at_most:
            raise ConfigError(
                f"The limit '{self.name}' asks for at least {self.at_least:g} and at most {self.at_most:g}; "
                "give 0 <= at_least <= at_most."
            )
        if self.weight[0] != 0 or (self.weight < 0).any():
            raise ConfigError(f"The limit '{self.name}' weighs doing nothing, or weighs less than nothing.")


def bounds_of(limits: Sequence[Limit], n_options: int) -> LimitMatrix:
    """Return the limits as arrays, the limits in rows."""
    weight = np.array([limit.weight for limit in limits], np.float64).reshape(len(limits), n_options)
    at_most = np.array([limit.at_most for limit in limits], np.float64)
    return LimitMatrix(weight, at_most, np.array([limit.at_least for limit in limits], np.float64))

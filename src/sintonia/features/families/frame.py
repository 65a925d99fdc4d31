"""What every family is made from: windows, half-lives, and what was fitted on the past."""

from dataclasses import dataclass

from sintonia.features.fitted import Fitted


@dataclass(frozen=True)
class Frame:
    """The windows and half-lives of a configuration, ascending, and what was fitted before the first as_of."""

    windows_days: tuple[int, ...]
    half_lives_days: tuple[int, ...]
    fitted: Fitted

    def levels(self, label: str) -> tuple[str, ...]:
        """Return the values of a label that the brand had when the features were fitted, most frequent first.

        A family makes columns for these and no others, so that a brand without an app has no column for it.
        """
        return self.fitted.levels.get(label, ())

    def mean(self, name: str, default: float) -> float:
        """Return a rate of the brand that was fitted, or the default where there was nothing to fit it on."""
        return self.fitted.means.get(name, default)

"""What a list may be expected to bring: what was said of its customers, added up, with an interval."""

import numpy as np

from sintonia.core.intervals import Estimate, rounded_estimate
from sintonia.training.profile import OutcomeRatio

NORMAL = 1.96


def expected_total(total: float, observed: OutcomeRatio) -> Estimate:
    """Return the sum of propensities, or of expected amounts, with a 95 % interval for what will come of them.

    The interval is about the sum times the ratio at which such sums came true out of time; it joins the error of that
    ratio, which calibration leaves, with chance: the outcomes' variance is the dispersion times the sum. Customers of
    another kind or time than the test's may do otherwise.

    Examples
    --------
    >>> found = expected_total(100.0, OutcomeRatio(ratio=1.0, error=0.05, dispersion=0.75))
    >>> round(found.value), round(found.low), round(found.high)
    (100, 80, 120)
    """
    centre = total * observed.ratio
    half_width = NORMAL * float(np.sqrt((total * observed.error) ** 2 + observed.dispersion * centre))
    return rounded_estimate(total, max(centre - half_width, 0.0), centre + half_width)

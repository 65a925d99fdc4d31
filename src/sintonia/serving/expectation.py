"""The expected outcomes or spend of a list: the sum of its predictions, with a prediction interval."""

import numpy as np

from sintonia.core.intervals import Estimate, rounded_estimate
from sintonia.training.profile import OutcomeRatio

NORMAL = 1.96


def expected_total(total: float, observed: OutcomeRatio) -> Estimate:
    """Return the sum of propensities, or of expected amounts, with a 95 % prediction interval.

    The interval is centred on the sum times the ratio of observed to predicted sums out of time. Its width combines the
    standard error of that ratio, which calibration leaves, with the variance of the outcomes, the dispersion times the
    sum. Customers of another population or period than the test's may differ by more.

    Examples
    --------
    >>> found = expected_total(100.0, OutcomeRatio(ratio=1.0, error=0.05, dispersion=0.75))
    >>> round(found.value), round(found.low), round(found.high)
    (100, 80, 120)
    """
    centre = total * observed.ratio
    half_width = NORMAL * float(np.sqrt((total * observed.error) ** 2 + observed.dispersion * centre))
    return rounded_estimate(total, max(centre - half_width, 0.0), centre + half_width)

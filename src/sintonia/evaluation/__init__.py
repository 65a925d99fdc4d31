"""How good, for whom, how sure: metrics with intervals, groups, stability, drift and leakage."""

"""A task's rows, models, calibration and tuning."""

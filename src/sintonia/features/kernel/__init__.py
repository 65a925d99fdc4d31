"""The kernel: terms of whole customers at many as-of dates, in one pass along their rows."""

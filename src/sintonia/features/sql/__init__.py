"""SQL expressions over one row of the interactions, evaluated on arrays."""

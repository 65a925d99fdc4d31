"""The door for Python: the verbs and parts of sintonia on data frames and arrays."""

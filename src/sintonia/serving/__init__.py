"""Who gets what: scores, lists and decisions."""

"""Identities: records that belong to one customer, since when the brand could know it, and by which rule."""

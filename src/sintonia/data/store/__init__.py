"""The store: interactions bucketed by customer and totally ordered, with attributes, contacts, crosswalk, decisions."""

from sintonia.data.store.store import Store, identity_folder, open_store, upgrade_store, with_known_until

__all__ = ["Store", "identity_folder", "open_store", "upgrade_store", "with_known_until"]

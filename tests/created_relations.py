"""What relations of the engine look like when they are created, beside what they declare."""

from sintonia.core.relation import Relation


def record_created(monkeypatch):
    """Return the relations created from now on, each with the columns it got, time after time, by name."""
    created = {}

    def recording(create):
        def record(self, connection, *arguments, **options):
            create(self, connection, *arguments, **options)
            created.setdefault(self.name, []).append((self, self.created_columns(connection)))

        return record

    for name in ("create_table", "create_view", "register"):
        monkeypatch.setattr(Relation, name, recording(getattr(Relation, name)))
    return created


def differences(created):
    """Return the names and columns of those created otherwise than declared; an open-ended one may have more."""
    return {
        (name, tuple(columns.items()))
        for name, creations in created.items()
        for relation, columns in creations
        if (
            not relation.columns.items() <= columns.items()
            if relation.open_ended
            else list(relation.columns.items()) != list(columns.items())
        )
    }

"""Which row opens its thread: of the visible ones exactly one, so that orders need no distinct count."""

from sintonia.core.schema import INTERACTIONS

THREAD = "customer_id, COALESCE(thread_id, interaction_id), kind"
ORDER = ", ".join(INTERACTIONS.order)


def opens_thread() -> str:
    """Return the SQL that says whether a row is the first of its thread and kind to become visible."""
    return f"""ROW_NUMBER() OVER (PARTITION BY {THREAD}
                   ORDER BY GREATEST(occurred_at, known_at), occurred_at, interaction_id) = 1"""


def threads_query(relation: str, versions: bool) -> str:
    """Return the query of a relation's interactions in the store's order, with `opens_thread` worked out.

    With `versions`, rows may end (`known_until`). Where the row that opens a thread ends and no newer version of it
    follows, the next one of the thread opens it from then on: that row is cut in two at the moment.
    """
    columns = ", ".join(INTERACTIONS.names)
    if not versions:
        replaced = columns.replace("opens_thread", f"{opens_thread()} AS opens_thread")
        return f"SELECT {replaced} FROM {relation} ORDER BY {ORDER}"
    own = ", ".join(
        name for name in INTERACTIONS.names if name not in ("opens_thread", "known_at", "known_until")
    )
    return f"""
        WITH listed AS (
            SELECT {columns}, GREATEST(occurred_at, known_at) AS visible_at, ROW_NUMBER() OVER () AS row,
                   COALESCE(thread_id, interaction_id) AS thread,
                   COUNT(known_until) OVER (PARTITION BY {THREAD}) > 0 AS changing
            FROM {relation}),
        plain AS (SELECT * REPLACE ({opens_thread()} AS opens_thread) FROM listed WHERE NOT changing),
        -- All versions of an id have the place of the first, so that a corrected row goes on opening its thread.
        ranked AS (
            SELECT *, ROW_NUMBER() OVER (PARTITION BY customer_id, thread, kind ORDER BY
                       first_visible_at, occurred_at, interaction_id, known_at) AS place
            FROM (SELECT *, MIN(visible_at) OVER (PARTITION BY customer_id, thread, kind, interaction_id)
                            AS first_visible_at
                  FROM listed WHERE changing)),
        changes AS (
            SELECT customer_id, thread, kind, visible_at AS moment FROM ranked
            UNION SELECT customer_id, thread, kind, known_until FROM ranked WHERE known_until IS NOT NULL),
        shown AS (
            SELECT row, moment, MIN(place) OVER (PARTITION BY customer_id, thread, kind, moment) = place AS opens
            FROM changes JOIN ranked USING (customer_id, thread, kind)
            WHERE visible_at <= moment AND (known_until IS NULL OR known_until > moment)),
        runs AS (
            SELECT * FROM shown
            QUALIFY opens IS DISTINCT FROM LAG(opens) OVER (PARTITION BY row ORDER BY moment)),
        pieces AS (
            SELECT row, opens, moment, LEAD(moment) OVER (PARTITION BY row ORDER BY moment) AS next_moment FROM runs),
        cut AS (
            SELECT {own}, opens AS opens_thread, IF(moment > visible_at, moment, known_at) AS known_at,
                   COALESCE(next_moment, known_until) AS known_until
            FROM ranked JOIN pieces USING (row))
        SELECT {columns} FROM plain UNION ALL BY NAME SELECT {columns} FROM cut ORDER BY {ORDER}"""

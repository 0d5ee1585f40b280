"""The tables of events: the log itself, and who has been sent how much of it.

Units and columns are named as in `metadata.tables`.
"""

from tams_graphql.metadata.table import Table, table_schema

EVENTS = Table(
    "events",
    table_schema(
        text="event_id event_type flow_id source_id actor payload_json",
        number="lane sequence hlc occurred_us part_count",
        required="event_id event_type lane sequence hlc occurred_us part_count",
    ),
    key=("lane", "sequence"),
)
"""The event log (ADR 0012): what changed, written with the change. The engine gives each row its
``lane``, the next ``sequence`` of it, and ``hlc``, microseconds that grow along each lane and from
one event of a flow or source to the next, whatever the clocks say. ``payload_json`` is null if
it is too large for a cell: then it is in ``part_count`` EVENT_PARTS."""

PLACED = ("lane", "sequence", "hlc")
"""The columns of EVENTS that tell an event's place in the log."""

EVENT_PARTS = Table(
    "event_parts",
    table_schema(
        text="event_id payload_json", number="part", required="event_id payload_json part"
    ),
    key=("event_id", "part"),
)

LANES = Table(
    "lanes",
    table_schema(
        text="owner commit_id",
        number="lane epoch lease_until_us sequence hlc",
        required="lane epoch lease_until_us",
    ),
    key=("lane",),
)
"""What orders events: one pre-made row for each process that can write at a time. ``sequence`` and
``hlc`` are those of its last event. The other columns are those of engines that lease lanes."""

EVENT_FLOORS = Table(
    "event_floors",
    table_schema(
        text="log_id",
        number="lane version sequence",
        required="log_id lane version sequence",
    ),
    key=("lane",),
)
"""The last sequence of each lane that retention has deleted, one pre-made row for each lane;
``log_id`` tells this log from those of other indexes."""

WEBHOOK_QUEUES = Table(
    "webhook_queues",
    table_schema(
        text="webhook_id incarnation position owner failing_event_id",
        number="version due_us failed_attempts",
        required="webhook_id incarnation position version failed_attempts",
    ),
    key=("webhook_id",),
    orders={"due": ("due_us", "webhook_id")},
)
"""How far each webhook is: ``position`` is a cursor into the event log, everything before it was
delivered, or is not for this webhook (empty: nothing yet). ``due_us``: when somebody should look
at it, null while it is disabled or in error; whoever works on it, the ``owner``, keeps moving that
ahead.
``failed_attempts``: in a row; ``failing_event_id``: the last time."""

WEBHOOK_DELIVERIES = Table(
    "webhook_deliveries",
    table_schema(
        text="webhook_id delivery_id incarnation event_id event_type status attempts_json",
        number="lane sequence created_us updated_us",
        required="webhook_id delivery_id incarnation event_id event_type status attempts_json"
        " created_us updated_us",
    ),
    key=("webhook_id", "created_us", "delivery_id"),
    orders={"age": ("updated_us", "webhook_id", "created_us", "delivery_id")},
)
"""What was sent to a webhook, and how it went: one row per event and webhook, so that
``delivery_id`` is the event's and ``created_us`` when it happened. ``status``: ``delivered``,
``retrying``, ``failed``, or ``skipped`` for events that were deleted before their turn; then there
is no event, its id and type are empty. ``attempts_json``: a list of the last attempts."""

TABLES = (EVENTS, EVENT_PARTS, LANES, EVENT_FLOORS, WEBHOOK_QUEUES, WEBHOOK_DELIVERIES)

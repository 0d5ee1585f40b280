"""What was sent to webhooks as rows of `event_tables.WEBHOOK_DELIVERIES`, both ways."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from tams_graphql.events.event import Event
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Key, Row, View
from tams_graphql.metadata.event_tables import WEBHOOK_DELIVERIES
from tams_graphql.model.errors import NotFound
from tams_graphql.model.identifiers import is_uuid
from tams_graphql.model.records import Attempt, Delivery, DeliveryStatus, Webhook
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers.row_values import json_text

MAX_ATTEMPTS = 20
"""How many attempts of a delivery are kept: the last ones."""

_MAX_US = 10**17


@dataclass(frozen=True, slots=True)
class Sent:
    """An event that was sent once, and what has become of it."""

    event: Event
    status: DeliveryStatus
    attempt: Attempt

    def key(self, webhook_id: str) -> Key:
        """Of its row."""
        return (webhook_id, self.event.occurred_us, self.event.id)


def delivery_from_row(row: Mapping[str, Any]) -> Delivery:
    """A full row as a record."""
    skipped = row["status"] == DeliveryStatus.SKIPPED
    return Delivery(
        id=f"{row['webhook_id']}.{row['created_us']}.{row['delivery_id']}",
        webhook_id=row["webhook_id"],
        event_id=None if skipped else row["event_id"],
        event_type=None if skipped else EventType(row["event_type"]),
        status=DeliveryStatus(row["status"]),
        attempts=_attempts(row),
        lane=row["lane"],
        sequence=row["sequence"],
        created_us=row["created_us"],
        updated_us=row["updated_us"],
    )


def delivery_key(delivery_id: str) -> Key:
    """The key of the row that `Delivery.id` names.

    Raises:
        NotFound: it is none.
    """
    webhook_id, _, rest = delivery_id.partition(".")
    created, _, event_id = rest.partition(".")
    well_formed = is_uuid(webhook_id) and created.isdecimal() and is_uuid(event_id)
    if not well_formed or not created.isascii() or len(created) > 17 or int(created) > _MAX_US:
        raise NotFound("delivery", delivery_id)
    return (webhook_id, int(created), event_id)


def note_sent(
    view: View, edits: Edits, webhook: Webhook, sent: Sequence[Sent], now_us: int
) -> None:
    """Write down what was sent to `webhook`, each event once in `sent`.

    What was once delivered stays so, however a further attempt goes.
    """
    keys = [one.key(webhook.id) for one in sent]
    rows = view.get(WEBHOOK_DELIVERIES, keys).to_pylist()
    known: dict[Key, Mapping[str, Any]] = {
        tuple(row[name] for name in WEBHOOK_DELIVERIES.key): row for row in rows
    }
    for key, one in zip(keys, sent, strict=True):
        before = known.get(key)
        if before is None:
            edits.insert(WEBHOOK_DELIVERIES, _row(webhook, key, one, now_us))
        else:
            edits.update(WEBHOOK_DELIVERIES, _further(before, one, now_us))


def note_skipped(edits: Edits, webhook: Webhook, now_us: int) -> None:
    """Write down that events were deleted before `webhook` got them."""
    reason = (
        "events were deleted before they could be sent: they are kept for a limited time; what"
        " they told of must be read anew"
    )
    attempt = Attempt(at_us=now_us, status_code=None, reason=reason, duration_us=0)
    row: Row = {
        "webhook_id": webhook.id,
        "created_us": now_us,
        "delivery_id": str(uuid.uuid4()),
        "incarnation": webhook.incarnation,
        "event_id": "",
        "event_type": "",
        "status": DeliveryStatus.SKIPPED.value,
        "attempts_json": json_text([asdict(attempt)]),
        "updated_us": now_us,
    }
    edits.insert(WEBHOOK_DELIVERIES, row)


def _row(webhook: Webhook, key: Key, sent: Sent, now_us: int) -> Row:
    event = sent.event
    return {
        **dict(zip(WEBHOOK_DELIVERIES.key, key, strict=True)),
        "incarnation": webhook.incarnation,
        "event_id": event.id,
        "event_type": event.type.value,
        "status": sent.status.value,
        "attempts_json": json_text([asdict(sent.attempt)]),
        "lane": event.lane,
        "sequence": event.sequence,
        "updated_us": now_us,
    }


def _further(before: Mapping[str, Any], sent: Sent, now_us: int) -> Row:
    attempts = [*_attempts(before), sent.attempt][-MAX_ATTEMPTS:]
    delivered = before["status"] == DeliveryStatus.DELIVERED
    return {
        **{name: before[name] for name in WEBHOOK_DELIVERIES.key},
        "status": before["status"] if delivered else sent.status.value,
        "attempts_json": json_text([asdict(one) for one in attempts]),
        "updated_us": now_us,
    }


def _attempts(row: Mapping[str, Any]) -> tuple[Attempt, ...]:
    return tuple(Attempt(**one) for one in orjson.loads(row["attempts_json"]))

"""Webhooks as rows of `metadata.tables.WEBHOOKS`."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from tams_graphql.metadata.engine import Row
from tams_graphql.model.records import Webhook, WebhookError
from tams_graphql.model.vocabulary import EventType, WebhookStatus
from tams_graphql.resolvers.row_values import json_text


def webhook_from_row(row: Mapping[str, Any]) -> Webhook:
    """A full row of WEBHOOKS as a record."""
    error = row["error_json"]
    return Webhook(
        id=row["webhook_id"],
        incarnation=row["incarnation"],
        url=row["url"],
        api_key_name=row["api_key_name"],
        sealed_key=row["api_key_encrypted"],
        events=tuple(EventType(name) for name in orjson.loads(row["events_json"])),
        filters=orjson.loads(row["filters_json"]),
        tags=orjson.loads(row["tags_json"]),
        status=WebhookStatus(row["status"]),
        error=None if error is None else WebhookError(**orjson.loads(error)),
        api_version=row["api_version"],
        created_by=row["created_by"],
        created_us=row["created_us"],
        updated_us=row["updated_us"],
        sealed_secret=row["signing_secret_encrypted"],
    )


def webhook_columns(webhook: Webhook) -> dict[str, Any]:
    """The columns that a change may touch, but for the digest of the identity."""
    return {
        "url": webhook.url,
        "api_key_name": webhook.api_key_name,
        "api_key_encrypted": webhook.sealed_key,
        "events_json": json_text(webhook.events),
        "filters_json": json_text(webhook.filters),
        "tags_json": json_text(webhook.tags),
        "status": webhook.status.value,
        "error_json": None if webhook.error is None else json_text(asdict(webhook.error)),
        "updated_us": webhook.updated_us,
    }


def webhook_row(webhook: Webhook, identity_digest: str) -> Row:
    """The row of a new webhook."""
    return {
        "webhook_id": webhook.id,
        "incarnation": webhook.incarnation,
        "identity_digest": identity_digest,
        "api_version": webhook.api_version,
        "created_by": webhook.created_by,
        "created_us": webhook.created_us,
        "signing_secret_encrypted": webhook.sealed_secret,
        "version": 0,
        **webhook_columns(webhook),
    }

"""The body of `POST /service`."""

from typing import Any

from tams_graphql.model.validation import Body, Omittable, validated


class ServicePost(Body):
    """Spec 8.2, `service-post.json`."""

    name: Omittable[str] = None
    description: Omittable[str] = None


def service_changes(body: Any) -> dict[str, str]:
    """What `body` changes about the service, by name.

    Raises:
        InvalidInput: it is no such body.
    """
    changes: dict[str, str] = validated(ServicePost, body).model_dump(exclude_unset=True)
    return changes

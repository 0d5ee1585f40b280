"""The instances of an object, between their JSON column and `Instance`."""

from collections.abc import Iterable
from functools import lru_cache

import orjson

from tams_graphql.model.records import Instance


@lru_cache(maxsize=4096)
def parse_instances(instances_json: str | None) -> tuple[Instance, ...]:
    """The instances in a column ``*instances_json`` (none for null).

    Cached by value: neighbouring segments often share an initialisation object.
    """
    if instances_json is None:
        return ()
    return tuple(Instance(**entry) for entry in orjson.loads(instances_json))


def format_instances(instances: Iterable[Instance]) -> str:
    """The text for a column ``*instances_json``."""
    return orjson.dumps([_entry(instance) for instance in instances]).decode()


def _entry(instance: Instance) -> dict[str, str | None]:
    if instance.controlled:
        return {"storage_id": instance.storage_id, "key": instance.key}
    return {"url": instance.url, "label": instance.label}

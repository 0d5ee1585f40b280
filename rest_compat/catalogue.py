"""All resources of the REST face: a noun's file adds its line here."""

from rest_compat import (
    deletions,
    flows,
    objects,
    profiles,
    properties,
    segments,
    service,
    sources,
    storage,
    webhooks,
)
from rest_compat.resources import Resource

RESOURCES: tuple[Resource, ...] = (
    *service.RESOURCES,
    *profiles.RESOURCES,
    *webhooks.RESOURCES,
    *sources.RESOURCES,
    *properties.SOURCE_RESOURCES,
    *flows.RESOURCES,
    *properties.FLOW_RESOURCES,
    *segments.RESOURCES,
    *deletions.RESOURCES,
    *storage.RESOURCES,
    *objects.RESOURCES,
)

"""The spec's closed vocabularies as GraphQL enums; `model.vocabulary` maps them to strings."""

from enum import StrEnum

import strawberry

from tams_graphql.model import records, vocabulary

strawberry.enum(vocabulary.ContentFormat, description="What a Source or Flow contains.")
strawberry.enum(vocabulary.FlowStatus, description="The ingest status its client maintains.")
strawberry.enum(vocabulary.InterlaceMode, description="How the fields of a frame are stored.")
strawberry.enum(vocabulary.Colorspace, description="Colorspace of a video.")
strawberry.enum(vocabulary.TransferCharacteristic, description="Transfer characteristic.")
strawberry.enum(vocabulary.ComponentType, description="Picture component representation.")
strawberry.enum(vocabulary.SourceSort, description="What Sources are listed by.")
strawberry.enum(vocabulary.FlowSort, description="What Flows are listed by.")
strawberry.enum(vocabulary.DeletionSort, description="What deletion requests are listed by.")
strawberry.enum(records.DeletionStatus, description="How a deletion request stands.")
strawberry.enum(vocabulary.EventType, description="What can happen that others are told of.")
strawberry.enum(vocabulary.WebhookStatus, description="How a webhook stands.")
strawberry.enum(records.DeliveryStatus, description="What became of an event for a webhook.")
strawberry.enum(records.CopyState, description="How a copy of an object stands.")


@strawberry.enum(description="What a Media Object holds.")
class ObjectRole(StrEnum):
    """Media, or what a decoder needs before it."""

    MEDIA = "media"
    INIT = "init"

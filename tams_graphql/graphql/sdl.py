"""The published contract: `schema/tams.graphql`."""

from tams_graphql.graphql.schema import schema


def print_sdl() -> str:
    """The schema in GraphQL's schema definition language, with a final line break."""
    return schema.as_str().rstrip() + "\n"

"""The GraphQL face: one file per noun, mapping GraphQL to resolvers and back.

`router.graphql_router` is what `app.py` mounts; `schema.make_schema` builds the executable
schema; `sdl.print_sdl` prints the published contract. Nothing here knows an engine.
"""

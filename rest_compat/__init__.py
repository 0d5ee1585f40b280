"""The REST face: the TAMS API 8.2 as a mapping onto the resolvers.

One file per noun (`service`, `sources`, `flows`, `segments`, `storage`, `objects`; `properties`
holds the single-property resources of Sources and Flows), each a tuple ``RESOURCES`` that
`router` turns into routes and `openapi` into the published contract. A later noun or version
adds a file and a line in `catalogue`.
"""

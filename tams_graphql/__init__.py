"""A GraphQL-first Time-addressable Media Store (TAMS).

Two faces (`graphql`, and `rest_compat` beside this package) over one set of
`resolvers`, over ports (`metadata`, `media`, `events`). `app.py` wires them
together; `cli.py` is the only entry point. Start reading at `timeline` and
`model`: they import nothing of ours.
"""

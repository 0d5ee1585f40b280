"""One random history through REST, through GraphQL and through a plain model of the specification.

`machine` draws operations in the words of the specification's own JSON. `rest` and `graphql` carry
each out on a store of their own, by one API alone; `model` says what the specification and our
decisions want. After every step all three must tell the same story (`compare`).
"""

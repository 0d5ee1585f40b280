"""The index: which sources, flows, segments and objects there are.

`engine.py` is the port, `tables.py` the rows it keeps; `sqlite/` is the embedded
implementation. Resolvers import the first two, only `app.py` imports an implementation.
"""

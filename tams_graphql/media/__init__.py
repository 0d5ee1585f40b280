"""The bytes: where media objects are kept and how clients reach them by URL.

`store.py` is the port; `filesystem/` the embedded storage backend, whose signed URLs this
server answers itself. Resolvers import the port, only `app.py` an implementation.
"""

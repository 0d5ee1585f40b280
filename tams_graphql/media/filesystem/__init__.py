"""The filesystem storage backend: bytes in a directory, reached by URLs this server signs.

1. `signing.py` signs URLs that expire; `secret.py` keeps the key they are signed with.
2. `files.py` keeps bytes on disk (blocking calls); `store.py` is the port over it (asyncio).
3. `routes.py` answers the signed URLs: `uploads.py` PUT, `downloads.py` GET and HEAD, with the
   rules of HTTP in `conditions.py`, `digests.py` and `content_types.py`.

Only `app.py` may import from here.
"""

"""Every listing of both faces: pages joined are the listing, also while rows come and go.

`store.py` is a media store in this process; `kinds.py` adds, changes and removes what is listed,
and tells it one by one; `listings.py` is the table of all listings with all their filters and
orders; `faces.py` reads their pages over REST and GraphQL.
"""

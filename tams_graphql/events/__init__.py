"""The event log, and what tells others of it: ports, and their implementations.

`event` is one change; `position` says how far somebody has read; `log` reads; `hub` tells the
subscribers of this process; `sending` is how webhooks are sent. Events are written with the changes
themselves (`Changes.events`). Only the wiring imports implementations of `sending`.
"""

"""The event log, and how others learn of it: ports, and their implementations.

`event` is one change; `position` says how far somebody has read; `log` reads; `hub` tells the
subscribers of this process; `sending` sends one event to one receiver. Events are written with
the changes themselves (`Changes.events`).
"""

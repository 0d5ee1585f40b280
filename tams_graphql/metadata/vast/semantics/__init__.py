"""What a cluster really does with concurrent transactions: 13 probes, and what follows from them.

1. `run.probe_everything` works in a schema of its own (`scratch`), made and dropped by it.
2. Each probe (`updates`, `snapshots`, `commits`, `row_ids`, `races`) plays a scene and returns an
   observation (`observations`); what could not be played is `Untested`.
3. `classify` and `findings` turn observations into a verdict; they ask no cluster for anything.

`row_conflicts` is the one question that the engine asks at each start.
"""

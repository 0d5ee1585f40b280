"""A wire-level emulator of VAST DB, so that the unmodified `vastdb` SDK can be used without a cluster.

Start it with `python -m tests.vast_emulator`, or from a test with `running.emulator()`.
`README.md` says what it does not emulate, and which of its answers are guesses.
"""

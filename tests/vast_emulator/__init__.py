"""A wire-level emulator of VAST DB, for the unmodified `vastdb` SDK.

No cluster is needed; its own tests judge the emulator (`python -m tests.run_sdk_tests`).

Start it with `python -m tests.vast_emulator`, or from a test with `running.emulator()`.
`README.md` says what it does not emulate, and which of its answers are guesses.
"""

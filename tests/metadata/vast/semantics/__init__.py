"""The probes of `tams doctor --vast-semantics`, and what follows from what they see."""

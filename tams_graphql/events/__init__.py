"""How others learn of changes: ports, and their implementations. Only the wiring imports those."""

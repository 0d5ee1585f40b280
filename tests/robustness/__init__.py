"""Fault injection against real server processes: races, kill -9, big bodies."""

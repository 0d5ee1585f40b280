"""Tests of the filesystem storage backend."""

"""Tests of the media client, on real media made with PyAV."""

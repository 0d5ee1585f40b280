"""Tests of `tams_graphql.events`."""

"""Tests of `tams_graphql.media`."""

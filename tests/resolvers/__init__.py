"""Resolvers over real engines and a real store: rules, not mappings."""

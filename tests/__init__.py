"""The tests mirror the packages that they pin down; `support` holds what they share."""

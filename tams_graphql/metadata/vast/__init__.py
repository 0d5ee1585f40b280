"""The metadata engine on VAST DB, through the official SDK (extra ``vast``)."""

"""What only the engine on VAST DB promises."""

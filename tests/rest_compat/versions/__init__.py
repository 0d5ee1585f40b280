"""What the versions of the specification do differently, under their prefixes."""

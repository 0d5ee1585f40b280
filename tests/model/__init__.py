"""The nouns and their validation, without any I/O."""

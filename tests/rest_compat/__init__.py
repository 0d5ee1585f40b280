"""The REST face, through a real application over real resolvers, index and media store."""

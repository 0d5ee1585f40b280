"""What several test packages share: real servers, and nothing of the product's own logic."""

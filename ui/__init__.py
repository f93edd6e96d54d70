"""What the pages share: frame, caches, digits as tiles, charts, a visitor's picture."""

"""The national feed: download, archive, parse and store it; the sample feed."""

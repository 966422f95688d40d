"""The worker: treats a shard's tokens page by page."""

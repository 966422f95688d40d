"""Keys, tokens and passwords: the only place that touches cryptographic libraries."""

"""Multi-factor authentication for a platform: policy, key rotation and log-in."""

__version__ = "0.1.0.dev0"

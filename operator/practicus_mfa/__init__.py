"""Multi-factor authentication for a platform: policy, key rotation and log-in."""

__version__ = "0.2.0.dev0"

"""The platform in a cluster: MfaPolicies, Secrets and Jobs of an API server."""

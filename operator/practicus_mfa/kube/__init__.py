"""The Kubernetes API server: objects as plain trees, refusals as errors with a remedy."""

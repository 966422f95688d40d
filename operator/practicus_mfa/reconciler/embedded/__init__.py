"""The embedded platform: the reconcile loop over a folder, SQLite (or PostgreSQL) and local processes.

values.yaml takes the place of Helm's release, YAML files that of a cluster's objects:

    values.yaml ──render──▶ secret-store.yaml, mfapolicy.yaml ──pass──▶ keyring.yaml, status.yaml
"""

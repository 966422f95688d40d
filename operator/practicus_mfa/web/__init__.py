"""The login service's front: HTTP in, use cases called, pages and answers out."""

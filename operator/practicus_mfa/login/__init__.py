"""Use cases around a user: enrol, import, administer, recover."""

"""Gather what is seen, let the core decide, apply the plan."""

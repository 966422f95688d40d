"""Who may log in, for how long, how often they may try and where they go: decided from values alone."""

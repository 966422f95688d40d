"""From what a person wrote (values.yaml, an MfaPolicy's spec) to frozen values, all faults at once."""

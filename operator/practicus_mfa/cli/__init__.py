"""The command line, ``practicus-mfa``."""

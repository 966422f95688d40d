"""``python -m practicus_mfa``: the command line."""

from practicus_mfa.cli.main import main

if __name__ == "__main__":
    main()

"""Ask the login service whether it is ready, by the address of its Service: what the pod of `helm test` runs.

    python reach_login.py VARIABLE

VARIABLE names what the kubelet tells every pod about a Service that was there before it: no DNS is needed. A
release that was just installed gets some time to become ready.
"""

import os
import sys
import time
import urllib.error
import urllib.request

PATIENCE_SECONDS = 60
PAUSE_SECONDS = 1
REQUEST_SECONDS = 5


def asked(url: str) -> tuple[bool, str]:
    """Return whether the service is ready, and what it said or why it said nothing."""
    # No proxy of the environment: the Service is in the cluster.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=REQUEST_SECONDS) as answer:
            return True, answer.read().decode()
    except urllib.error.HTTPError as error:
        return False, error.read().decode(errors="replace")
    except OSError as error:
        return False, f"no answer: {getattr(error, 'reason', error)}\n"


def main(variable: str, port: int) -> int:
    """Ask until the service is ready or patience ends; return an exit code."""
    address = os.environ.get(variable, "")
    if not address:
        sys.stdout.write(
            f"{variable} is not set: this namespace had no such Service when the pod was made.\n"
        )
        return 1
    url = f"http://{f'[{address}]' if ':' in address else address}:{port}/readyz"
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        ready, said = asked(url)
        if ready or time.monotonic() > end:
            sys.stdout.write(f"{url}\n{said}")
            return 0 if ready else 1
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], 8080))

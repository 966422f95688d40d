"""A machine within this machine, for a node: its own network, mounts and process ids, by Linux namespaces.

What a node does to a machine (a bridge, packet filter rules, mounts, a swarm of processes) it does to this
one alone: the real one sees a cable, ``pmfa<N>``, and a folder. The first process of a process namespace
takes all others with it, and the last process takes mounts and network, so the end of a machine is one
signal, also when the tests are killed. Folders of a machine that nobody has any more are removed when the
next one starts.

Both ends of the cable have an address. What listens on :attr:`Machine.host_address` here can be reached by
pods, and this machine reaches pods at their own addresses.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.support import cables
from tests.support.cluster import cgroups
from tests.support.cluster.commands import CommandError, run
from tests.support.cluster.guarded import ClusterStartError, GuardedProgram
from tests.support.waiting import until

if TYPE_CHECKING:
    from types import TracebackType

NETWORK: Final = "198.18"
"""Addresses that no real network has (RFC 2544 keeps them for tests); a machine takes 256 of them."""

MACHINES: Final = 256
"""How many can be there beside each other."""

NEEDED: Final = ("unshare", "nsenter", "setpriv", "ip", "mount", "sysctl")
"""Programs that every Linux has (util-linux, iproute2, procps)."""

_PLACE: Final = Path(tempfile.gettempdir())
_PREFIX: Final = "practicus-mfa-node-"

_FOLDERS: Final = {"run": "/run", "lib": "/var/lib", "log": "/var/log"}
"""Folders of the machine's own, and where its programs see them."""

_FIRST_PROCESS: Final = """
for pair in "$@"; do mount --bind "${pair%%:*}" "${pair#*:}"; done
ip link set lo up
sysctl --quiet --write net.ipv4.ip_forward=1
: > ready
# Ignored by the first process, a signal of this kind tells the kernel to bury the orphans itself.
trap '' CHLD
exec sleep infinity
"""


class Machine:
    """One machine, started by the constructor, ended and removed by :meth:`close` or the end of a ``with``.

    Attributes:
        folder: Everything that it keeps.
        cable: The name of the network device here that leads to it.
        host_address: The outer end of the cable: this machine, as the other one sees it.
        address: The inner end: the other machine, as this one sees it.
        block: CIDR of everything on it and on its cable.
        pods: CIDR that its pods are to have addresses of.
        gateway: The first of these, for the bridge that they hang on.
        cgroup: The control group, below the root of every hierarchy, that is its own.
    """

    def __init__(self) -> None:
        """Start the machine with nothing on it but its network."""
        _sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_PLACE))
        self.cgroup = self.folder.name
        self._lock = (self.folder / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._programs: list[GuardedProgram] = []
        self.cable = ""
        pairs = [f"{self.folder / own}:{seen}" for own, seen in _FOLDERS.items()]
        for own in _FOLDERS:
            (self.folder / own).mkdir()
        namespaces = ("--net", "--pid", "--mount", "--ipc", "--fork", "--kill-child=SIGKILL", "--mount-proc")
        command = ["unshare", *namespaces, "sh", "-ec", _FIRST_PROCESS, "sh", *pairs]
        self._holder = GuardedProgram(self.folder, "machine", command)
        try:
            cgroups.make(self.cgroup)
            self._holder.start()
            until(self._ready, "the namespaces of a machine")
            self._first = _child(self._holder.pid)
            with cables.changing():
                self._connect()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def program(self, name: str, *command: str | Path) -> GuardedProgram:
        """Return a program of the machine's, to be started; it ends with the machine at the latest."""
        # What containerd unpacks is for other users than root too.
        open_to_all = ("sh", "-c", 'umask 022; exec "$@"', "sh")
        program = GuardedProgram(
            self.folder, name, [*self._inside(), "setpriv", "--pdeathsig=KILL", *open_to_all, *command]
        )
        self._programs.append(program)
        return program

    def run(self, *command: str | Path) -> str:
        """Run a command on the machine and return its output.

        Raises:
            CommandError: It failed.
        """
        return run(*self._inside(), *command)

    def close(self) -> None:
        """End everything on it, in the reverse order of its start, and remove what it kept."""
        for program in reversed(self._programs):
            program.stop("SIGKILL")
        with cables.changing():
            # It goes with the machine, but at a moment of its own; it is gone where the machine is.
            with suppress(CommandError):
                run("ip", "link", "delete", self.cable)
            self._holder.stop("SIGKILL")
        cgroups.remove(self.cgroup)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def _ready(self) -> bool:
        if not self._holder.running:
            raise ClusterStartError(f"No machine of its own can be made here.\n{self._holder.log_end()}")
        return (self.folder / "ready").exists()

    def _inside(self) -> list[str]:
        return ["nsenter", f"--target={self._first}", "--net", "--pid", "--mount", "--ipc", "--"]

    def _connect(self) -> None:
        """Lay the cable, and say on both sides what is at its other end."""
        number, cable = self._new_cable()
        self.cable = cable
        block = f"{NETWORK}.{number}"
        self.block = f"{block}.0/24"
        self.host_address, self.address = f"{block}.1", f"{block}.2"
        self.pods, self.gateway = f"{block}.128/25", f"{block}.129"
        run("ip", "address", "add", f"{self.host_address}/30", "dev", cable)
        run("ip", "link", "set", cable, "up")
        self.run("ip", "address", "add", f"{self.address}/30", "dev", "uplink")
        self.run("ip", "link", "set", "uplink", "up")
        self.run("ip", "route", "add", "default", "via", self.host_address)
        run("ip", "route", "add", self.pods, "via", self.address)

    def _new_cable(self) -> tuple[int, str]:
        for number in range(MACHINES):
            cable = f"pmfa{number}"
            if Path("/sys/class/net", cable).exists():
                continue
            try:
                run("ip", "link", "add", cable, "type", "veth", "peer", "uplink", "netns", str(self._first))
            except CommandError as error:
                # Somebody else's, since the look before.
                if "exists" not in str(error):
                    raise
            else:
                return number, cable
        raise ClusterStartError(f"{MACHINES} machines are here already.")


def _child(pid: int) -> int:
    """Return the process id of a process' only child."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii"))


def _sweep() -> None:
    """Remove what machines have left whose tests were killed."""
    for folder in _PLACE.glob(f"{_PREFIX}*"):
        # The lock ends with whoever made the machine. A folder without one is being made or being removed.
        try:
            with (folder / "lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
    for group in cgroups.present(_PREFIX):
        if not (_PLACE / group).exists():
            cgroups.remove(group)


def missing() -> str:
    """Say why no machine can be made here; empty if nothing is in the way."""
    if os.geteuid() != 0:
        return "A node needs root: run the tests as root, or use kind."
    absent = [name for name in NEEDED if shutil.which(name) is None]
    return f"A node needs {', '.join(absent)} (Debian, Ubuntu: util-linux iproute2 procps)." if absent else ""

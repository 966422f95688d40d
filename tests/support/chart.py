"""The chart, rendered by the real Helm."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from practicus_mfa.crypto.keys import generate_key

CHART: Final = Path(__file__).parents[2] / "charts" / "practicus-mfa"
NAMESPACE: Final = "login"

ACTIVE: Final = generate_key().text
ROLLING: Final = generate_key().text
KUBERNETES: Final = "1.36"
"""For which version templates are rendered: Helm 3 as Go builds it would say 1.20 without a cluster."""

SEED: Final = {"secretStore": {"activeKey": ACTIVE}}
"""The least that a values.yaml must say."""

_LIMIT_SECONDS: Final = 600
"""Ends a Helm that would wait for ever, far above the five minutes that it waits for objects by itself."""

Tree = dict[str, Any]


class HelmError(Exception):
    """Helm failed; the message is what it wrote."""


class Helm:
    """One version of Helm, with folders of its own."""

    def __init__(self, program: Path, *, kubeconfig: Path | None = None) -> None:
        """Use *program*.

        Args:
            program: helm.
            kubeconfig: The cluster; ``None`` where none is asked.
        """
        self._program = program
        self._kubeconfig = kubeconfig or Path(os.devnull)

    def run(self, *arguments: str, values: tuple[object, ...] = ()) -> str:
        """Run Helm and return its output; later *values* win over earlier ones.

        Raises:
            HelmError: It failed.
        """
        with tempfile.TemporaryDirectory(prefix="practicus-mfa-helm-") as name:
            files = []
            for number, tree in enumerate(values):
                file = Path(name, f"{number}.yaml")
                # JSON is YAML that every parser reads alike: "y" and "0129" are not text to all of them.
                file.write_text(tree if isinstance(tree, str) else json.dumps(tree), "utf-8")
                files.append(f"--values={file}")
            offline = arguments[0] in {"template", "lint"} and "--kube-version" not in arguments
            version = ["--kube-version", KUBERNETES] if offline else []
            done = subprocess.run(
                [self._program, *arguments, *version, *files],
                env=os.environ
                | {
                    "KUBECONFIG": str(self._kubeconfig),
                    "HELM_CACHE_HOME": f"{name}/cache",
                    "HELM_CONFIG_HOME": f"{name}/config",
                    "HELM_DATA_HOME": f"{name}/data",
                },
                capture_output=True,
                text=True,
                check=False,
                timeout=_LIMIT_SECONDS,
            )
        if done.returncode != 0:
            # What `helm lint` finds stands in its output.
            raise HelmError(f"{done.stdout}{done.stderr}".strip())
        return done.stdout

    def render(
        self, *values: object, release: str = "practicus-mfa", chart: Path = CHART, only: str = ""
    ) -> list[Tree]:
        """Return the objects of *values*.

        Raises:
            HelmError: They are refused.
        """
        shown = [f"--show-only=templates/{only}.yaml"] if only else []
        text = self.run("template", release, str(chart), f"--namespace={NAMESPACE}", *shown, values=values)
        return [tree for tree in yaml.safe_load_all(text) if tree]

    def refusal(self, *values: object, release: str = "practicus-mfa", chart: Path = CHART) -> str:
        """Return why *values* are refused.

        Raises:
            AssertionError: They are not.
        """
        try:
            self.render(*values, release=release, chart=chart)
        except HelmError as error:
            return str(error)
        raise AssertionError("Helm accepts these values")


def of_kind(objects: list[Tree], kind: str, name: str = "") -> Tree:
    """Return the one object of *kind*."""
    found = [
        tree for tree in objects if tree["kind"] == kind and (not name or tree["metadata"]["name"] == name)
    ]
    assert len(found) == 1, (kind, name, [(tree["kind"], tree["metadata"]["name"]) for tree in objects])
    return found[0]

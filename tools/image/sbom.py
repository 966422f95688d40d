"""Lists what the image holds, as CycloneDX: ``python3 sbom.py /opt/practicus-mfa practicus-mfa.cdx.json``.

Runs while the image is built, on the environment that goes into it. cyclonedx-py, by the makers of the
format, lists Python's packages. Beside them stand Debian's, as dpkg knows them, and Python itself; below a
package stands what was compiled into its wheel, as far as the wheel says so (PEP 770).
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, Final

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

SPECIFICATION: Final = SchemaVersion.V1_6

TOLD: Final = ("type", "name", "version", "purl", "licenses", "hashes")
"""What is taken over from a wheel's own list; its references hold only within that list."""

Component = dict[str, Any]


def bill_of_materials(environment: Path) -> dict[str, Any]:
    """Return the list of an environment and of the Debian below it.

    Args:
        environment: The folder of Python's environment.

    Raises:
        SystemExit: The environment doesn't hold the product, or the list would not be valid.
        CalledProcessError: cyclonedx-py or dpkg-query failed.
    """
    bill: dict[str, Any] = json.loads(
        _output(
            str(Path(sys.executable).with_name("cyclonedx-py")),
            *("environment", "--output-reproducible", "--no-validate"),
            *("--spec-version", SPECIFICATION.to_version()),
            str(environment),
        )
    )
    packages: list[Component] = bill["components"]
    version = next((found["version"] for found in packages if found["name"] == "practicus-mfa"), None)
    if version is None:
        raise SystemExit(f"{environment} holds no practicus-mfa.")
    compiled_in = _compiled_in(environment)
    for package in packages:
        if within := compiled_in.get(package["name"]):
            package["components"] = within
    bill["metadata"]["component"] = {
        "type": "container",
        "bom-ref": "image",
        "name": "practicus-mfa",
        "version": version,
    }
    bill["components"] = [_python(), *packages, *_debian()]
    if error := JsonStrictValidator(SPECIFICATION).validate_str(json.dumps(bill)):
        raise SystemExit(f"Not valid: {error}")
    return bill


def _compiled_in(environment: Path) -> dict[str, list[Component]]:
    """Return what wheels say was compiled into them, each once, by the packages' names."""
    found: dict[str, dict[tuple[str, str], Component]] = {}
    for file in sorted(environment.glob("lib/*/site-packages/*.dist-info/sboms/*.json")):
        package = Distribution.at(file.parents[1]).metadata["Name"]
        for component in json.loads(file.read_bytes())["components"]:
            plain = {name: value for name, value in component.items() if name in TOLD}
            # auditwheel lists the wheel beside what it holds.
            if plain["name"].replace("_", "-") != package:
                found.setdefault(package, {})[plain["name"], plain.get("version", "")] = plain
    return {package: [within[key] for key in sorted(within)] for package, within in found.items()}


def _python() -> Component:
    # The official image builds it, so that dpkg knows nothing of it.
    version = platform.python_version()
    return {
        "type": "application",
        "bom-ref": "python",
        "name": "python",
        "version": version,
        "cpe": f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*",
        "purl": f"pkg:generic/python@{version}",
    }


def _debian() -> list[Component]:
    release = platform.freedesktop_os_release()
    listed = _output(
        "dpkg-query",
        "--show",
        "--showformat=${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\t${source:Version}\\n",
    )
    components = []
    for line in sorted(listed.splitlines()):
        name, version, architecture, source, source_version = line.split("\t")
        qualifiers = {
            "arch": architecture,
            "distro": f"{release['ID']}-{release['VERSION_ID']}",
            # Debian's advisories speak of source packages.
            "upstream": f"{source}@{source_version}",
        }
        components.append(
            {
                "type": "library",
                "bom-ref": f"debian:{name}:{architecture}",
                "name": name,
                "version": version,
                "purl": PackageURL("deb", "debian", name, version, qualifiers).to_string(),
            }
        )
    return components


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    written = bill_of_materials(Path(sys.argv[1]))
    Path(sys.argv[2]).write_text(json.dumps(written, indent=2, sort_keys=True) + "\n", "utf-8")

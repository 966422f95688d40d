"""The pages of the chart's values: names, defaults and comments of values.yaml, types of its schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tools.reference.schema import type_told

CHART: Final = Path(__file__).resolve().parents[2] / "charts" / "practicus-mfa"

HEAD: Final = """\
# Values of the chart

Everything that a values.yaml for `charts/practicus-mfa` may say. What is left out, or null, is the default; a
name that is not here is refused. This page is made from the chart's `values.yaml` and `values.schema.json`
(`make reference`); `helm show values charts/practicus-mfa` prints the former.
"""

README: Final = """\
# practicus-mfa

Multi-factor authentication for a platform on Kubernetes: a login service with TOTP, and an operator that
changes the key under which secrets are encrypted without one failed log-in. It needs Kubernetes 1.30 or
newer, Helm 3 or 4, and PostgreSQL; to look at it first, `database.embedded.enabled` needs no database.

`practicus-mfa keys generate` prints a key; the chart makes none.

```yaml
# values.yaml
secretStore:
  activeKey: "the key that was printed"
database:
  existingSecret: login-database     # its entry url holds postgresql://USER:PASSWORD@HOST:PORT/NAME
login:
  host: login.example.com
  ingress: {enabled: true, className: nginx, tls: [{secretName: login-tls}]}
```

```sh
helm install mfa CHART --namespace login --create-namespace --values values.yaml
helm test mfa --namespace login --logs
```

The notes of the release print how to make the first administrator. To change the key, move `activeKey` to
`rollingKey`, put a new one in `activeKey`, and `helm upgrade`; the old one may go when the MfaPolicy's
condition OldKeyRetirable is True. An uninstallation leaves the database, the keyring and the definition of
MfaPolicy.

What follows is everything that a values.yaml may say. What is left out, or null, is the default; a name that
is not here is refused. This page is made from `values.yaml` and `values.schema.json`.
"""

EXAMPLE: Final = re.compile(r"(\[?\{.*?\}\]?)")
"""YAML in the middle of a sentence."""

OTHERS: Final = "Everything else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A name in values.yaml."""

    path: tuple[str, ...]
    comment: tuple[str, ...]
    default: object
    is_section: bool
    """Whether names below it are told one by one."""


def values() -> list[Value]:
    """Return all names, in the order of the file."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(tree, yaml.MappingNode)  # noqa: S101  (Helm would refuse the chart)
    return list(_values(tree, (), text.splitlines()))


def _values(tree: yaml.MappingNode, above: tuple[str, ...], lines: list[str]) -> Iterator[Value]:
    for name, node in tree.value:
        path = (*above, name.value)
        # What stands in one line is one value, such as the requests of a pod.
        is_section = isinstance(node, yaml.MappingNode) and not node.flow_style and bool(node.value)
        yield Value(
            path=path,
            comment=_comment(lines, name.start_mark.line, name.start_mark.column),
            default=None if is_section else yaml.safe_load(yaml.serialize(node)),
            is_section=is_section,
        )
        if is_section:
            yield from _values(node, path, lines)


def _comment(lines: list[str], line: int, column: int) -> tuple[str, ...]:
    """Return the lines of the comment that ends above *line*, at the same depth."""
    told: list[str] = []
    while line > 0 and lines[line - 1].startswith(" " * column + "#"):
        line -= 1
        told.insert(0, lines[line][column + 1 :].removeprefix(" "))
    return tuple(told)


def page() -> str:
    """Return the page of the reference."""
    return _told(HEAD)


def readme() -> str:
    """Return the chart's own page, which goes where the chart goes: it leads nowhere else."""
    return _told(README)


def _told(head: str) -> str:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    parts: dict[str, list[Value]] = {}
    for value in values():
        whole = value.is_section or len(value.path) > 1
        parts.setdefault(value.path[0] if whole else OTHERS, []).append(value)
    others = parts.pop(OTHERS)
    told = [head]
    for name, found in [*parts.items(), (OTHERS, others)]:
        section = found[0] if name != OTHERS else None
        told += [f"## {name}\n", *([f"{_prose(section.comment)}\n"] if section and section.comment else [])]
        told += ["| value | type | default | |", "|---|---|---|---|"]
        told += [_row(value, _schema_of(schema, value.path)) for value in found if value is not section]
        told.append("")
    return "\n".join(told)


def _row(value: Value, schema: Mapping[str, Any]) -> str:
    default = "" if value.is_section else f"`{_flow(value.default)}`"
    cells = (f"`{'.'.join(value.path)}`", type_told(schema), default, _prose(value.comment))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _prose(comment: tuple[str, ...]) -> str:
    """Return a comment in one line: sentences as they are, examples of YAML as code."""
    first = next((at for at, line in enumerate(comment) if line.startswith("- ")), len(comment))
    sentences = EXAMPLE.sub(r"`\1`", " ".join(comment[:first])).replace("<", "&lt;")
    return "<br>".join(part for part in (sentences, *(f"`{line}`" for line in comment[first:])) if part)


def _flow(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1_000).strip()
    return text.removesuffix("\n...").replace("''", '""')


def _schema_of(schema: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    whole = schema
    for name in path:
        schema = schema.get("properties", {}).get(name, {})
        if reference := schema.get("$ref"):
            schema = whole
            for step in reference.removeprefix("#/").split("/"):
                schema = schema[step]
    return schema

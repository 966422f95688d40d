"""Reading one section of a configuration: each name is asked for by its type, the rest is unknown.

A :class:`Section` walks a tree of YAML or JSON values. A null, and a section that is not there, stand for the
default, as Helm has it. Faults are collected, and the default is read in a faulty value's place, so that one
walk finds them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Self

from practicus_mfa.core.keyring import KeyId, parse_key_id
from practicus_mfa.core.parse.faults import number, wrong_type
from practicus_mfa.core.policy import Scalar
from practicus_mfa.faults import Fault, shown, unknown

_KEY_ID_REMEDY: Final = "a key ID has 12 lower-case hex digits, practicus-mfa keys list shows them"
_LONGEST_EXAMPLE: Final = 9
"""Digits: a longer number in quotes is not repeated as an example of how to write it."""


class Section:
    """A section that is being read; leaving its ``with`` block reports the names that were not asked for."""

    def __init__(
        self,
        node: object,
        path: str,
        faults: list[Fault],
        *,
        elsewhere: Mapping[str, str] | None = None,
    ) -> None:
        """Begin to read.

        Args:
            node: What stands there; ``None`` is an empty section.
            path: Its place, '' at the top.
            faults: Where faults are added.
            elsewhere: Names that people write here by mistake, with where they belong.
        """
        self.path: Final = path
        self._faults = faults
        self._elsewhere = elsewhere or {}
        self._known: list[str] = []
        self._node: Mapping[object, object] = {}
        if isinstance(node, Mapping):
            self._node = node
        elif node is not None:
            remedy = "write its names below it, indented, one a line"
            faults.append(wrong_type(path or "the whole", node, "a section", remedy))

    def __enter__(self) -> Self:
        """Return the section itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Report unknown names."""
        self._faults += [
            unknown(self.at(""), name, self._known, elsewhere=self._elsewhere.get(str(name)))
            for name in self._node
            if name not in self._known
        ]

    def at(self, name: str) -> str:
        """Return the path of *name*."""
        return f"{self.path}.{name}" if self.path else name

    def given(self, name: str) -> bool:
        """Whether *name* stands here with a value."""
        return self._node.get(name) is not None

    def fault(self, name: str, problem: str, remedy: str) -> None:
        """Report a fault of *name*."""
        self._faults.append(Fault(path=self.at(name), problem=problem, remedy=remedy))

    def leave(self, *names: str) -> None:
        """Let *names* stand here unread: another place judges them."""
        self._known += names

    def section(self, name: str) -> Section:
        """Return the section *name*, an empty one where there is none."""
        return Section(self._take(name), self.at(name), self._faults)

    def switch(self, name: str, default: bool) -> bool:
        """Return true or false."""
        value = self._take(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        remedy = f"write {name}: true or {name}: false, without quotes"
        self._wrong(name, value, "true or false", remedy)
        return default

    def whole(
        self, name: str, default: int, *, at_least: int | None = None, at_most: int | None = None
    ) -> int:
        """Return a whole number within the bounds, both inclusive."""
        value = self._take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            example = value if _is_number(value) else default
            remedy = f"write it in digits without quotes, for example {name}: {example}"
            self._wrong(name, value, "a whole number", remedy)
            return default
        if at_least is not None and value < at_least:
            self.fault(name, f"{number(value)} is too small", f"the least is {at_least}")
            return default
        if at_most is not None and value > at_most:
            self.fault(name, f"{number(value)} is too big", f"the most is {at_most}")
            return default
        return value

    def text(self, name: str, default: str = "") -> str:
        """Return text; a fault never quotes it, so it may be a secret."""
        value = self._take(name)
        if value is None or isinstance(value, str):
            return default if value is None else value
        self._wrong(name, value, "text", "put it in quotes")
        return default

    def needed_text(self, name: str, example: str) -> str:
        """Return text that must be there and not be blank."""
        before = len(self._faults)
        value = self.text(name)
        if not value.strip() and len(self._faults) == before:
            self.fault(name, "missing", f"write it, for example {name}: {example}")
        return value

    def key_id(self, name: str) -> KeyId | None:
        """Return a key ID, ``None`` for nothing or empty text; a wrong one is not quoted: it may be a key."""
        value = self._take(name)
        match value:
            case None | "":
                return None
            case str():
                try:
                    return parse_key_id(value)
                except ValueError:
                    self.fault(name, "not a key ID", _KEY_ID_REMEDY)
            case bool():
                self._wrong(name, value, "a key ID", _KEY_ID_REMEDY)
            case _:
                # An ID of digits alone, or of digits around an "e", is a number to YAML.
                self._wrong(name, value, "a key ID", "put it in quotes")
        return None

    def entries(self, name: str) -> Iterator[Section]:
        """Yield the sections of the list *name*."""
        for index, entry in enumerate(self._list(name, "[], or one entry a line, each after a dash")):
            yield Section({} if entry is None else entry, f"{self.at(name)}[{index}]", self._faults)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of text, blank entries refused."""
        found = []
        for index, entry in enumerate(self._list(name, "[first, second]")):
            if not isinstance(entry, str):
                self._wrong(f"{name}[{index}]", entry, "text", "put it in quotes")
            elif not entry.strip():
                self.fault(f"{name}[{index}]", "empty", "write it or leave the entry out")
            else:
                found.append(entry)
        return tuple(found)

    def needed_texts(self, name: str, example: str) -> tuple[str, ...]:
        """Return a list of text that must be there and hold an entry."""
        before = len(self._faults)
        found = self.texts(name)
        if not found and len(self._faults) == before:
            self.fault(name, "empty" if self.given(name) else "missing", f"write {name}: {example}")
        return found

    def scalars(self, name: str) -> dict[str, Scalar]:
        """Return a section of free names, each with text, a whole number, true or false."""
        node = self._take(name)
        if not isinstance(node, Mapping):
            Section(node, self.at(name), self._faults)
            return {}
        found: dict[str, Scalar] = {}
        for key, value in node.items():
            if not isinstance(key, str):
                self.fault(f"{name}.{shown(key)}", "a name that is not text", "put the name in quotes")
            elif isinstance(value, str | int):
                found[key] = value
            else:
                remedy = "write text, a whole number, true or false: a column is compared with one value"
                self._wrong(f"{name}.{shown(key)}", value, "one value", remedy)
        return found

    def labels(self, name: str) -> dict[str, str]:
        """Return a section of free names, each with text: labels, annotations, a node selector."""
        found: dict[str, str] = {}
        for key, value in self.tree(name).items():
            if isinstance(value, str):
                found[key] = value
            else:
                # What else people write there without quotes: true, 1.0
                self._wrong(f"{name}.{shown(key)}", value, "text", "put it in quotes")
        return found

    def tree(self, name: str) -> dict[str, object]:
        """Return a section as it stands there: another judges what is below its names."""
        node = self._take(name)
        if not isinstance(node, Mapping):
            Section(node, self.at(name), self._faults)
            return {}
        for key in node:
            if not isinstance(key, str):
                self.fault(f"{name}.{shown(key)}", "a name that is not text", "put the name in quotes")
        return {key: value for key, value in node.items() if isinstance(key, str)}

    def trees(self, name: str) -> tuple[dict[str, object], ...]:
        """Return a list of sections, each as it stands there."""
        found = self._list(name, "[], or one entry a line, each after a dash")
        top = Section(
            {f"{name}[{index}]": entry for index, entry in enumerate(found)}, self.path, self._faults
        )
        return tuple(top.tree(f"{name}[{index}]") for index in range(len(found)))

    def _take(self, name: str) -> object:
        self._known.append(name)
        return self._node.get(name)

    def _wrong(self, name: str, value: object, expected: str, remedy: str) -> None:
        self._faults.append(wrong_type(self.at(name), value, expected, remedy))

    def _list(self, name: str, example: str) -> Sequence[object]:
        value = self._take(name)
        if value is None:
            return ()
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return value
        self._wrong(name, value, "a list", f"write {name}: {example}")
        return ()


def _is_number(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _LONGEST_EXAMPLE

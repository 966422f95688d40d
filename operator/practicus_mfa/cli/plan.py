"""``practicus-mfa plan``: what a pass would do now; nothing is written."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import click

from practicus_mfa.cli.context import target_options
from practicus_mfa.cli.output import output_option, show_tree
from practicus_mfa.cli.target import Target
from practicus_mfa.settings import Form

if TYPE_CHECKING:
    from practicus_mfa.core.plan import Action


@click.command()
@target_options
@output_option
def plan(target: Target, output: Form) -> None:
    """Show what would be done now, and do nothing."""
    from practicus_mfa.cli.platform import look

    found = look(target).plan
    tree = {
        "step": found.step,
        "actions": [_described(action) for action in found.actions],
        "waitsFor": found.waits_for,
        "reason": found.reason,
        "message": found.message,
    }
    if output != "table":
        show_tree(tree, output)
        return
    if found.at_rest:
        click.echo("Nothing is to be done: policy and keys are in force.")
        return
    click.echo(f"Step: {found.step}")
    for action in found.actions:
        click.echo(f"  {_sentence(action)}")
    if found.waits_for:
        click.echo(f"Waits for a {found.waits_for}: {found.reason}: {found.message}")


def _described(action: Action) -> dict[str, object]:
    from practicus_mfa.core.keyring import Keyring

    described: dict[str, object] = {"action": type(action).__name__}
    for each in fields(action):
        value = getattr(action, each.name)
        if isinstance(value, Keyring):
            value = {"generation": value.generation, "keys": dict(value.states)}
        elif each.name == "claim":
            value = {"policy": f"{value.namespace}/{value.policy}", "epoch": value.epoch}
        described[each.name] = value
    return described


def _sentence(action: Action) -> str:
    described = _described(action)
    name = described.pop("action")
    details = ", ".join(f"{key}={_short(value)}" for key, value in described.items())
    return f"{name}({details})"


def _short(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_short(inside)}" for key, inside in value.items()) + "}"
        case tuple() | frozenset():
            return ", ".join(sorted(map(str, value))) or "none"
        case _:
            return str(value)

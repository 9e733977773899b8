"""`mem0-exports report`, `schema`, `filter`, `status` and `completion`: look at something without changing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from click.shell_completion import get_completion_class

from mem0_exports.filters.check import check_where
from mem0_exports.filters.rules import FilterRules
from mem0_exports.schemas.schema import Schema
from mem0_exports_cli.names import COMMAND, COMPLETE
from mem0_exports_cli.options import command, connected, group, printing
from mem0_exports_cli.schema_argument import read_schema
from mem0_exports_cli.where import read_where


if TYPE_CHECKING:
    from mem0_exports_cli.connection import Connection
    from mem0_exports_cli.printing import Output


def add_to(parent: click.Group) -> None:
    """Add the commands to a group."""
    command(
        parent,
        "report",
        "mem0-exports report 3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11",
        "mem0-exports report 3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11 --json",
    )(_report)
    schema = group(
        parent,
        "schema",
        "Look at the schemas of exports.",
        "mem0-exports schema show models.py:Profile",
        "mem0-exports schema show 'models.py:list[Event]'",
    )
    command(
        schema,
        "show",
        "mem0-exports schema show models.py:Profile",
        "mem0-exports schema show 'models.py:list[Event]' -o events.json",
    )(_schema)
    filters = group(
        parent,
        "filter",
        "Look at filters.",
        'mem0-exports filter check \'{"user_id": "alex"}\'',
        'mem0-exports filter check \'F.user_id.in_("alex", "mara")\'',
    )
    command(
        filters,
        "check",
        'mem0-exports filter check \'(F.user_id == "alex") & F.categories.in_("food")\'',
        'mem0-exports filter check \'{"user_id": "alex"}\'',
    )(_filter)
    command(parent, "status", "mem0-exports status", "mem0-exports status --json")(_status)
    command(
        parent,
        "completion",
        "mem0-exports completion bash",
        'eval "$(mem0-exports completion bash)"',
    )(_completion)


@click.argument("export_id", metavar="ID")
@connected
@printing
def _report(export_id: str, connection: Connection, output: Output) -> None:
    """Say where the values of an export are from.

    Prints for each field from which memories its value comes, or why it stayed empty.

    Only the embedded engine makes reports, with --store or served; Mem0's Platform does not.
    """
    with connection.client() as client:
        report = client.exports.report(export_id)
    if output.format is not None or output.path is not None:
        output.write(report)
        return
    print(f"{report.memories} memories read, {report.left_out} records left out of lists")
    for name, ids in report.filled.items():
        print(f"  {name}: from {len(ids)} {'memory' if len(ids) == 1 else 'memories'}: {', '.join(ids[:3])}")
    for each in report.evidence:
        if each.how != "metadata":
            place = "the model says so" if each.start is None else f"characters {each.start} to {each.end}"
            print(f"  {each.path}: in the text of memory {each.memory_id}, {place}")
    for gap in report.gaps:
        hint = "" if gap.did_you_mean is None else f" (similar: {gap.did_you_mean})"
        print(f"  {gap.path}: {gap.reason}{f' ({gap.count} times)' if gap.count > 1 else ''}{hint}")
    for note in report.notes:
        print(f"  {note}")
    if report.usage is not None:
        usage = report.usage
        print(
            f"  {usage.model}: {usage.calls} calls and {usage.cached} answers that were there already, {usage.tokens_in} tokens "
            f"read and {usage.tokens_out} written, {usage.seconds:.1f} s"
        )


@click.argument("schema")
@printing
def _schema(schema: str, output: Output) -> None:
    """Print the JSON Schema of an export.

    SCHEMA is MODULE:TYPE, FILE.py:TYPE or a file. Nothing is sent.
    """
    output.write(dict(Schema.of(read_schema(schema)).json))


@click.argument("filter", metavar="FILTER")
@printing
def _filter(filter: str, output: Output) -> None:  # noqa: A002 -- the name of the argument
    """Check a filter and print it as it is sent. Nothing is sent.

    FILTER is in the syntax of F, or JSON in any form that the service documents; @FILE or - reads it from a file or
    standard input. The fields are F.user_id, F.agent_id, F.app_id, F.run_id, F.created_at, F.updated_at, F.categories,
    F.metadata, F.keywords and F.memory_ids; join conditions with & (and), | (or) and ~ (not).
    """
    output.write(check_where(read_where(filter), FilterRules()).to_dict())


@connected
@printing
def _status(connection: Connection, output: Output) -> None:
    """Check the key and the connection.

    Prints the service, and the organization and project of the key.
    """
    with connection.client() as client:
        account = client.ping()
        where = f"the store {connection.store}" if connection.store else connection.base_url or "the Mem0 Platform"
        found = {"service": where, "status": account.status, "org_id": account.org_id, "project_id": account.project_id}
    output.write(found, default="json")


@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def _completion(shell: str) -> None:
    """Print a completion script for a shell.

    Run it from the start file of the shell, as the example does. Then Tab completes commands and options.
    """
    made = get_completion_class(shell)
    assert made is not None  # the choices are those of click
    root = click.get_current_context().find_root().command
    print(made(root, {}, COMMAND, COMPLETE).source())

"""Options that several commands share: where the memories are, which of them, and where the output goes."""

from __future__ import annotations

import functools

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from mem0_exports.errors import InputError
from mem0_exports.exports.handles import TIMEOUT
from mem0_exports.facts import ENTITY_FIELDS
from mem0_exports.filters.fields import F
from mem0_exports.filters.tree import Filter, all_of
from mem0_exports_cli.connection import Connection, came_from_environment
from mem0_exports_cli.printing import FORMATS, Output
from mem0_exports_cli.where import read_where
from mem0_exports_engine.projects import DEFAULT_PROJECT


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mem0_exports.filters.check import Where

_C = TypeVar("_C", bound="Callable[..., Any]")


class StoreFile(click.Path):
    """A path of a store. `:memory:` is refused: it would be lost when the command ends."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType.convert`."""
        if str(value) == ":memory:":
            self.fail("must be a file, got ':memory:', which would be lost when the command ends", param, ctx)
        return super().convert(value, param, ctx)


def one_line(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return the value of an option, if it is one line of printable text."""
    if not value.isprintable():
        raise click.BadParameter(f"must be one line of printable text, got {value!r}")
    return value


SECONDS: Final = click.FloatRange(0, 7 * 86400, min_open=True)


def command(parent: click.Group, name: str, *examples: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Add a function to a group as a command, with its docstring and examples as help."""
    return parent.command(name, epilog=_shown(examples), context_settings=SETTINGS)


def _shown(examples: tuple[str, ...]) -> str:
    lines = "\n".join(f"  {example}" for example in examples)
    return f"\b\nExamples:\n{lines}"


SETTINGS: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def group(parent: click.Group | None, name: str, text: str, *examples: str) -> click.Group:
    """Return a new group of commands. Without a command, it prints its help."""

    @click.group(name, help=text, epilog=_shown(examples), invoke_without_command=True, context_settings=SETTINGS)
    @click.pass_context
    def show_help(context: click.Context) -> None:
        if context.invoked_subcommand is None:
            click.echo(context.get_help())

    if parent is not None:
        parent.add_command(show_help)
    return show_help


store: Final = click.option(
    "--store",
    type=StoreFile(),
    required=True,
    envvar="MEM0_EXPORTS_STORE",
    metavar="FILE",
    help="The SQLite file of the embedded engine. [env: MEM0_EXPORTS_STORE]",
)
"""The store of commands that work on nothing else."""

project: Final = click.option(
    "--project", default=DEFAULT_PROJECT, metavar="NAME", show_default=True, help="The project of the store."
)

quiet: Final = click.option("-q", "--quiet", is_flag=True, help="Print the result only: no progress and no remarks.")


timeout: Final = click.option(
    "--timeout", type=SECONDS, default=TIMEOUT, metavar="SECONDS", show_default=True, help="How long to wait."
)
instructions: Final = click.option(
    "--instructions", metavar="TEXT", help="Guidance for the service's language model, in plain language."
)
strict: Final = click.option(
    "--strict", is_flag=True, help="Fail with exit code 7 if the export found nothing or left records out."
)
ledger: Final = click.option(
    "--ledger",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Remember the export in this file, so that the same command goes on with it after a crash.",
)
on_unknown: Final = click.option(
    "--on-unknown",
    type=click.Choice(["raise", "skip", "ask_again"]),
    default="raise",
    show_default=True,
    help="With --ledger: what to do with an export whose answer was lost, so that it may exist: fail, leave it out, or ask "
    "again, which can make it twice.",
)
new_key: Final = click.option(
    "--new-key", is_flag=True, help="With --ledger: go on with a new API key of the same account."
)


def connected(function: _C) -> _C:
    """Add the options that say where the memories are. The function gets them as `connection`."""

    @click.option(
        "--store",
        type=StoreFile(),
        envvar="MEM0_EXPORTS_STORE",
        metavar="FILE",
        help="Use the memories in this file of the embedded engine, which needs no key and no network. "
        "[env: MEM0_EXPORTS_STORE]",
    )
    @click.option(
        "--base-url",
        envvar="MEM0_BASE_URL",
        metavar="URL",
        help="Use the service at this address. Default: the Mem0 Platform. [env: MEM0_BASE_URL]",
    )
    @click.option(
        "--api-key-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A file whose first line is the API key. Default: the environment variable MEM0_API_KEY.",
    )
    @project
    @functools.wraps(function)
    def wrapped(
        *arguments: Any,
        store: Path | None,
        base_url: str | None,
        api_key_file: Path | None,
        project: str,
        **more: Any,
    ) -> Any:
        if store is not None and came_from_environment("store") and base_url and not came_from_environment("base_url"):
            store = None  # an option is stronger than a variable
        elif store is not None and base_url and came_from_environment("base_url"):
            base_url = None
        return function(*arguments, connection=Connection(store, base_url, api_key_file, project), **more)

    return wrapped  # type: ignore[return-value]


class Selection(NamedTuple):
    """Which memories the options select."""

    ids: dict[str, tuple[str, ...]]
    where: str | None
    after: str | None
    before: str | None

    def filters(self) -> Where:
        """Return the filter. Raises InputError if the options select nothing in particular."""
        parts: list[Filter] = []
        for field, names in self.ids.items():
            if names:
                column = getattr(F, field)
                parts.append(column == names[0] if len(names) == 1 else column.in_(*names))
        if self.after is not None:
            parts.append(F.created_at >= self.after)
        if self.before is not None:
            parts.append(F.created_at < self.before)
        written = None if self.where is None else read_where(self.where)
        if written is not None and not parts:
            return written
        if written is not None:
            parts.append(written if isinstance(written, Filter) else Filter.from_dict(written))
        if not parts:
            raise InputError(
                "say whose memories: -u USER, --agent-id, --app-id, --run-id, or --where FILTER; all users are listed by "
                "'mem0-exports entities list'",
                field="filters",
            )
        return parts[0] if len(parts) == 1 else all_of(*parts)


def selecting(function: _C) -> _C:
    """Add the options that say which memories to use. The function gets them as `selection`."""
    for field in reversed(ENTITY_FIELDS):
        short = ("-u",) if field == "user_id" else ()
        kind = field.removesuffix("_id")
        flag = f"--{kind}-id"
        text = f"Use the memories of this {kind}; can be repeated."
        function = click.option(*short, flag, field, multiple=True, metavar="ID", help=text)(function)

    @click.option(
        "--where",
        metavar="FILTER",
        help="A further filter, in the syntax of F or as JSON; @FILE or - reads it from a file or standard input.",
    )
    @click.option("--after", metavar="TIME", help="Use memories created at this time or later, such as 2025-03-01.")
    @click.option("--before", metavar="TIME", help="Use memories created before this time.")
    @functools.wraps(function)
    def wrapped(*arguments: Any, where: str | None, after: str | None, before: str | None, **more: Any) -> Any:
        ids = {field: more.pop(field) for field in ENTITY_FIELDS}
        return function(*arguments, selection=Selection(ids, where, after, before), **more)

    return wrapped  # type: ignore[return-value]


def printing(function: _C) -> _C:
    """Add the options that say where and how the result is written. The function gets them as `output`."""

    @click.option(
        "-o", "--output", "path", metavar="FILE", help="Write to this file; - is standard output. [default: -]"
    )
    @click.option(
        "-F",
        "--format",
        "chosen",
        type=click.Choice(FORMATS),
        help="The format. By default the suffix of FILE says it.",
    )
    @click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
    @quiet
    @functools.wraps(function)
    def wrapped(*arguments: Any, path: str | None, chosen: str | None, as_json: bool, quiet: bool, **more: Any) -> Any:
        if as_json and chosen not in {None, "json"}:
            raise InputError(f"--json and --format {chosen} exclude each other", field="format")
        output = Output(None if path == "-" else path, "json" if as_json else chosen, quiet=quiet)
        return function(*arguments, output=output, **more)

    return wrapped  # type: ignore[return-value]


def owning(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for records that name nobody. The function gets each by its name; see `owners_of`."""
    for name in ("run", "app", "agent"):
        function = click.option(f"--{name}-id", metavar="ID", help=f"The {name} of such records.")(function)
    return click.option(
        "-u", "--user-id", metavar="ID", help="The user of records that name no user, agent, app or run."
    )(function)


def owners_of(ids: Mapping[str, str | None]) -> dict[str, str]:
    """Return the ids that were given."""
    return {field: given for field in ENTITY_FIELDS if (given := ids[field]) is not None}

"""`xent completion`: the script that makes a shell complete commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(epilog="For bash: xent completion bash > ~/.local/share/bash-completion/completions/xent")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    chosen = get_completion_class(shell)
    if chosen is None:
        raise click.UsageError(f"This version of click has no completion for {shell}.")
    script = chosen(context.find_root().command, {}, "xent", "_XENT_COMPLETE")
    click.echo(script.source_template % script.source_vars())

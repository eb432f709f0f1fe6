"""`xent completion`: the script that makes a shell complete commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from xentcli.cli.command import Command
from xentcli.cli.help import Argument

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
WHERE = """
\b
For every new shell, of zsh in a folder of $fpath:
bash  xent completion bash > ~/.local/share/bash-completion/completions/xent
zsh   xent completion zsh > ~/.zfunc/_xent
fish  xent completion fish > ~/.config/fish/completions/xent.fish
"""
EXAMPLES = (
    'eval "$(xent completion bash)"',
    'eval "$(xent completion zsh)"',
    "xent completion fish | source",
)


@click.command(cls=Command, examples=EXAMPLES, epilog=WHERE, short_help="Let the Tab key complete commands.")
@click.argument("shell", cls=Argument, type=click.Choice(list(SHELLS)), about="The shell that you type in.")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    script = SHELLS[shell](context.find_root().command, {}, "xent", "_XENT_COMPLETE")
    click.echo(script.source_template % script.source_vars())

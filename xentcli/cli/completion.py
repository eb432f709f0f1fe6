"""`xent completion`: the script that makes a shell complete commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
WHERE = """
\b
bash  xent completion bash > ~/.local/share/bash-completion/completions/xent
zsh   xent completion zsh > ~/.zfunc/_xent      (a folder of $fpath)
fish  xent completion fish > ~/.config/fish/completions/xent.fish
"""


@click.command(epilog=WHERE)
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    script = SHELLS[shell](context.find_root().command, {}, "xent", "_XENT_COMPLETE")
    click.echo(script.source_template % script.source_vars())

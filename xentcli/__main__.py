"""`python -m xentcli` is `xent`."""

from xentcli.cli.main import main

main()

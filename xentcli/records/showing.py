"""How a record shows itself to who typed its name: three lines in a terminal, the page's content in a notebook."""

from __future__ import annotations

from importlib import import_module

from xentcli.errors import harmless


class Shown:
    """A record that can be looked at.

    Records know nothing that draws them: the page is looked up by its module's name when a notebook asks for it.
    """

    def told(self) -> tuple[str, str, str]:
        """The verdict, what it is about, and what was found, a line each."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return "\n".join(map(harmless, self.told()))

    def _repr_html_(self) -> str:
        shown: str = import_module("xentcli.render.html.notebook").shown(self)
        return shown

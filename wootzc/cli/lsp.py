"""The command that editors start: lsp."""

import click

from wootzc.diagnostics import fail


@click.command()
@click.option("--stdio", is_flag=True, help="Standard input and output: all there is.")
def lsp(stdio: bool) -> None:
    """Serve editors by the language server protocol, on standard input and output.

    docs/editor.md says how editors are set up.
    """
    try:
        from wootzc.lsp.server import serve
    except ModuleNotFoundError as error:
        if error.name not in ("pygls", "lsprotocol"):
            raise
        raise fail(
            "WZ250", f"the language server needs {error.name}", "pip install 'wootzc[lsp]'"
        ) from None
    serve()


COMMANDS = (lsp,)

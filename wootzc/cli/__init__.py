"""The command line: `wootzc COMMAND`; the commands are in the other files of this folder."""

import gc
import os
import signal
import sys

import click

from wootzc import __version__
from wootzc.cli import check, compiler, device, init, lsp, results, training
from wootzc.cli import network_commands as networks
from wootzc.cli.output import echo_error
from wootzc.diagnostics import WootzError, fail

DONE, FAULT, USAGE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143  # exit codes

EPILOG = """\b
A first session (of a model of your own: wootzc init model.onnx images):
  wootzc check samples/digits.wz     is the file right?
  wootzc plan  samples/digits.wz     what is in the space, what will it cost?
  wootzc build samples/digits.wz     train, search, write build/digits/
  wootzc verify build/digits         reload the result and replay it

Exit codes: 0 done, 1 the file or the objective is at fault, 2 usage, 130 interrupted
(143 by SIGTERM).
"""


class _Commands(click.Group):
    """Each command's summary is shown whole: click cuts what is longer than a line."""

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, one.get_short_help_str(200)) for name, one in sorted(self.commands.items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, context: click.Context) -> object:
        done: object = DONE
        try:
            done = super().invoke(context)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, `head` say, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return done


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(__version__, "--version", prog_name="wootzc")
def cli() -> None:
    """Prune a trained CNN: from a .wz file to the smallest network that is accurate enough."""


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash: eval "$(wootzc completion bash)"       in ~/.bashrc
    zsh:  eval "$(wootzc completion zsh)"        in ~/.zshrc
    fish: wootzc completion fish > ~/.config/fish/completions/wootzc.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, "click knows the three shells above"
    click.echo(found(cli, {}, "wootzc", "_WOOTZC_COMPLETE").source())


for group in (init, check, lsp, compiler, networks, training, results, device):
    for command in group.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Run a command; user mistakes become diagnostics and exit codes, never tracebacks."""
    gc.disable()  # most commands end before a collection would pay; `build` turns it on again
    try:
        code = cli.main(prog_name="wootzc", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except WootzError as error:
        echo_error(error)
        sys.exit(FAULT)
    except AssertionError as error:
        from wootzc.ir.plan.verify import VerifyError  # here, for it loads NumPy

        if not isinstance(error, VerifyError):
            raise
        echo_error(fail("WZ084", f"this makes a plan that is not sound: {error}"))
        sys.exit(FAULT)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = INTERRUPTED
    except OSError as error:  # a full disk, a folder where a file should be
        place = f"{error.filename}: " if error.filename else ""
        echo_error(fail("WZ149", f"{place}{error.strerror or error}"))
        sys.exit(FAULT)
    # JAX may be compiling still: waiting for it takes seconds, or crashes.
    if code in (INTERRUPTED, TERMINATED):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code if isinstance(code, int) else DONE)

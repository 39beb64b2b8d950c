"""`python -m wootzc`: the command line where no script is installed."""

from wootzc.cli import main

main()

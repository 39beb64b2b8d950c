"""`python -m wootzc.cli`: the command line where no script is installed."""

from wootzc.cli import main

main()

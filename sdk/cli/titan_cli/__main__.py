"""Entry point of `titan`: arguments, one command, one exit code. Never holds a command."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from titan_mesh.errors import TitanError

from titan_cli import arguments, commands
from titan_cli.exits import Exit, exit_for
from titan_cli.output import Output


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    chosen = arguments.parser().parse_args(words)
    output = Output(as_json=chosen.json)
    try:
        return int(asyncio.run(commands.run(chosen, output)))
    except TitanError as error:
        output.error(error)
        return int(exit_for(error.code))
    except (KeyboardInterrupt, asyncio.CancelledError):
        output.progress("interrupted")
        return int(Exit.INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())

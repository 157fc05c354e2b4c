"""Small programs as users of the broker write them; each is given the port of the server."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from check import PORT
from java_command import java_command


@contextmanager
def start(name, *arguments, port=PORT):
    """Runs one of the programs beside us; it is ended when the block is left."""
    process = subprocess.Popen(
        [*command_of(name), str(port), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def command_of(name):
    program, libraries = Path(name), os.environ["LIBRARIES"]
    if not program.suffix:
        return [Path(libraries, "bin", name)]
    if program.suffix == ".java":
        return java_command(program.stem, libraries)
    if program.suffix == ".mjs":
        # It has been copied to where its libraries are.
        return ["node", Path(libraries, "node", name)]
    return [sys.executable, Path(__file__).parent / program]

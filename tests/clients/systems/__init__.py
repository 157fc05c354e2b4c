"""Small programs as users of the broker write them; each is given the port of the server."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from check import PORT


@contextmanager
def start(name, *arguments):
    """Runs one of the programs beside us; it is ended when the block is left."""
    program = Path(__file__).parent / name
    process = subprocess.Popen(
        [sys.executable, program, str(PORT), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()

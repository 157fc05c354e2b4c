"""Programs in documents, which the checks run as printed except for the port."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(document, language):
    """All blocks of a document in the language."""
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def program(document, language, mark, port_free, port_given):
    """The only block in the language with the mark, with our port."""
    [found] = [block for block in blocks(document, language) if mark in block]
    assert port_free in found, f"the program for {language} in {document} has no {port_free}"
    return found.replace(port_free, port_given)


def printed(*command, source=None):
    """The output of a program, which must succeed."""
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stderr}"
    return done.stdout

"""The programs in README, as they stand there but for the port."""

import os
import re
import subprocess
import sys
from pathlib import Path

from check import PORT, run

README = Path(__file__).parents[2] / "README.md"
LIBRARIES = Path(os.environ["LIBRARIES"])


def program(language, mark, port_free, port_given):
    """The one block in the language with the mark in it, told our port."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    [found] = [block for block in blocks if mark in block]
    assert port_free in found, f"README's program for {language} has no {port_free}"
    return found.replace(port_free, port_given)


def printed(*command, source=None):
    """What a program prints, which has to end well."""
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stderr}"
    return done.stdout


def python():
    source = program("python", "redis.Redis", "redis.Redis()", f"redis.Redis(port={PORT})")
    assert printed(sys.executable, "-", source=source) == "b'resize photo 17'\n"


def node():
    source = program("js", "ioredis", "new Redis()", f"new Redis({PORT})")
    file = LIBRARIES / "node" / "readme.mjs"
    file.write_text(source)
    assert printed("node", str(file)) == "resize photo 17\n"


def rust():
    address = "redis://127.0.0.1"
    source = program("rust", "redis::Commands", f"{address}/", f"{address}:{PORT}/")
    file = LIBRARIES / "rust" / "examples" / "readme.rs"
    file.parent.mkdir(exist_ok=True)
    file.write_text(source)
    manifest = LIBRARIES / "rust" / "Cargo.toml"
    target = LIBRARIES / "rust" / "target"
    command = ["cargo", "run", "--quiet", "--manifest-path", str(manifest)]
    command += ["--target-dir", str(target), "--example", "readme"]
    assert printed(*command) == "resize photo 17\n"


run("README", [python, node, rust], timeout_s=100)

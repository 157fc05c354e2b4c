#!/usr/bin/env python3
"""The memory needed to diagnose damaged append files of hundreds of megabytes.

    tests/memory/damaged.py target/release/tidegate

Nearly all of each file is behind the damage, and little is before it: a check and a start need only part of
the file in memory. The last line is the total: `N passed, N failed`.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PEAK_MB_MAX = 100
MB = 1 << 20
PART = 100 * MB


def encode(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def write_ours(binary, directory):
    """Append files with a message of 100 MB and 300 of 1 MB behind a small one."""
    options = ["--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0"]
    path = f"{directory}/socket"
    server = subprocess.Popen(
        [binary, "--port", "0", "--unixsocket", path, "--dir", directory, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in server.stdout:
        if "listens on" in line:
            break
    client = ["redis-cli", "-s", path]
    with tempfile.TemporaryFile(dir=directory) as requests:
        requests.write(encode(b"RPUSH", b"q", b"small"))
        requests.write(encode(b"RPUSH", b"q", bytes(PART)))
        for _ in range(300):
            requests.write(encode(b"RPUSH", b"q", b"x" * MB))
        requests.seek(0)
        subprocess.run([*client, "--pipe"], stdin=requests, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*client, "SHUTDOWN"], check=True)
    server.communicate()
    (file,) = Path(directory, "appendonlydir").glob("*.incr.aof")
    assert file.stat().st_size > 4 * PART
    return file


def write_foreign(directory):
    """A file of Redis whose second command says that it is much longer than the file."""
    folder = Path(directory, "appendonlydir")
    folder.mkdir()
    name = "appendonly.aof.1.incr.aof"
    (folder / "appendonly.aof.manifest").write_text(f"file {name} seq 1 type i\n")
    with open(folder / name, "wb") as file:
        file.write(encode(b"SELECT", b"0") + encode(b"RPUSH", b"q", b"small"))
        file.write(b"*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$4000000000\r\n")
        for _ in range(400):
            file.write(b"x" * MB)
    return folder / name


def overwrite(file, find, with_):
    """Puts other bytes in the place of those after the first `find`, and says where."""
    with open(file, "r+b") as opened:
        at = opened.read(2 * MB).index(find)
        opened.seek(at)
        opened.write(with_)
    return at


def peak_mb(binary, *arguments):
    """Runs the program: its exit status, what it said and its memory at the peak."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1)
        os.dup2(write, 2)
        os.execv(binary, [binary, *arguments])
    os.close(write)
    with open(read, "rb") as output:
        said = output.read().decode()
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), said, usage.ru_maxrss / 1024


def whole(binary, directory):
    """the file is whole, and its data is loaded"""
    write_ours(binary, directory)
    status, said, _ = peak_mb(binary, "check", f"{directory}/appendonlydir")
    assert status == 0, said


def long_message(binary, directory):
    """a length that is damaged goes beyond the end of the file"""
    file = write_ours(binary, directory)
    overwrite(file, b"$%d\r\n" % PART, b"$900000000")
    judge(binary, directory, "nowhere whole")


def zeros(binary, directory):
    """a hole of zeros from there to the end"""
    file = write_ours(binary, directory)
    length = file.stat().st_size
    at = overwrite(file, b"$%d\r\n" % PART, b"$900000000")
    os.truncate(file, at + 20)
    os.truncate(file, length)
    judge(binary, directory, "nowhere whole")


def hole(binary, directory):
    """the beginning of a batch is zeros"""
    file = write_ours(binary, directory)
    overwrite(file, b"$%d\r\n" % PART, bytes(20))
    judge(binary, directory, "expected a command")


def foreign(binary, directory):
    """a command of another program is longer than its file"""
    write_foreign(directory)
    judge(binary, directory, "in the middle of a command or transaction")


def judge(binary, directory, reason):
    folder = f"{directory}/appendonlydir"
    status, said, peak = peak_mb(binary, "check", folder)
    assert status in (1, 2) and reason in said, f"status {status}: {said}"
    start = ["--port", "0", "--dir", directory, "--appendonly", "yes", "--aof-load-truncated", "no"]
    status, said, start_peak = peak_mb(binary, *start)
    assert status == 1 and reason in said, f"status {status}: {said}"
    status, said, repair_peak = peak_mb(binary, "repair", folder)
    assert status == 0, said
    status, said, _ = peak_mb(binary, "check", folder)
    assert status == 0, said
    peaks = max(peak, start_peak, repair_peak)
    assert peaks <= PEAK_MB_MAX, f"check {peak:.0f}, start {start_peak:.0f}, repair {repair_peak:.0f} MB"
    print(f"    check {peak:.0f}, start {start_peak:.0f}, repair {repair_peak:.0f} MB at the peak")


def main():
    binary = os.path.abspath(sys.argv[1])
    passed = failed = 0
    for case in (whole, long_message, zeros, hole, foreign):
        with tempfile.TemporaryDirectory() as directory:
            try:
                case(binary, directory)
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"FAILED damaged: {case.__doc__}\n{error}", flush=True)
            else:
                passed += 1
                print(f"ok damaged: {case.__doc__}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

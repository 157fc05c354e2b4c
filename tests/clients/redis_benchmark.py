"""redis-benchmark runs to its end, pipelined and with a thousand connections."""

import re
import subprocess

from check import PORT, note, run


def benchmark(*arguments):
    """Runs to the end and returns the requests per second by the name of the test."""
    done = subprocess.run(
        ["redis-benchmark", "-p", str(PORT), "-q", *arguments],
        capture_output=True,
        text=True,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert not re.search(r"\berr(or)?\b|-\w+ERR|could not|warning", output, re.IGNORECASE), output
    rates = dict(re.findall(r"([A-Z_0-9]+)(?: \([^)]*\))?: ([\d.]+) requests per second", output))
    for name, rate in rates.items():
        note(f"{name}: {float(rate):,.0f} requests per second")
    return rates.keys()


def pipelined():
    run_through = benchmark("-t", "ping,rpush,lpush,lpop,rpop,lrange", "-P", "16", "-n", "20000")
    assert run_through == {
        "PING_INLINE",
        "PING_MBULK",
        "RPUSH",
        "LPUSH",
        "LPOP",
        "RPOP",
        "LRANGE_100",
        "LRANGE_300",
        "LRANGE_500",
        "LRANGE_600",
    }


def a_thousand_connections():
    run_through = benchmark("-c", "1000", "-n", "20000", "-t", "ping,rpush")
    assert run_through == {"PING_INLINE", "PING_MBULK", "RPUSH"}


run("redis-benchmark", [pipelined, a_thousand_connections], timeout_s=80)

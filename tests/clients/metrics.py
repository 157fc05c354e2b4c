"""Metrics as Prometheus reads them, and the examples that use them: alerts, a dashboard."""

import json
import os
import re
import subprocess
import urllib.request
from pathlib import Path

import redis
from check import HOST, PORT, run
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "examples" / "monitoring"
# Names that no queue should have, and their labels.
QUEUES = {
    b"plain": "plain",
    b"quote\"back\\slash": 'quote"back\\slash',
    b"line\nend": "line\\x0aend",
    b"not utf-8 \xff": "not utf-8 \\xff",
    b"like it \\xff": "like it \\x5cxff",
    "größe".encode(): "größe",
}
SUFFIXES = ("_bucket", "_sum", "_count")

client = redis.Redis(host=HOST, port=PORT)


def documented():
    """The families of docs/metrics.md with their types."""
    text = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(tidegate_\w+)` \| (\w+) \|", text, re.MULTILINE)
    assert len(rows) > 100, f"docs/metrics.md has {len(rows)} metrics"
    return dict(rows)


def prepare():
    client.flushall()
    client.config_resetstat()
    for name in QUEUES:
        client.rpush(name, "x")
    client.execute_command("QUEUE", "POLICY", "SET", "p", "watched", "message-ttl-ms", "100000")
    client.rpush("watched", "a", "b")
    client.lpop("watched")


def check_families(families, optional=()):
    """Parsed families are those of the documentation. Returns their samples by name."""
    expected = documented()
    samples = {}
    for family in families:
        # Parsers leave out the end of a counter's name, and read info as a gauge in one format.
        names = [family.name, family.name + "_total", family.name + "_info"]
        name = next((name for name in names if name in expected), None)
        assert name, f"{family.name} is not in docs/metrics.md"
        kind = expected.pop(name)
        assert family.type == kind or (family.type, kind) == ("gauge", "info"), family
        assert family.documentation.endswith("."), family
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    left = [name for name in expected if not name.startswith(tuple(optional))]
    # What is not known is left out.
    durations = "(aof_(last|current)_rewrite|rdb_(last|current)_save)_duration|replication_link_(silent|down)"
    unknown = re.compile(f"tidegate_({durations}|queues?(_shown)?$)")
    assert all(map(unknown.match, left)), left
    return samples


def check_histograms(samples):
    for name, buckets in samples.items():
        if name.endswith("_bucket"):
            counts = [bucket.value for bucket in buckets]
            assert counts == sorted(counts), buckets
            assert buckets[-1].labels["le"] == "+Inf", buckets
            assert counts[-1] == samples[name.replace("_bucket", "_count")][0].value, name


def lint(text):
    """What promtool says of a text; it should say nothing."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr


def promtool(*arguments):
    done = subprocess.run(
        ["promtool", *arguments], cwd=MONITORING, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def the_text_format_is_that_of_prometheus():
    prepare()
    text = client.execute_command("METRICS").decode()
    samples = check_families(parser.text_string_to_metric_families(text), ["tidegate_queue_"])
    check_histograms(samples)
    assert samples["tidegate_keys"][0].value == len(QUEUES) + 1
    assert samples["tidegate_message_wait_seconds_count"][0].value == 1
    assert samples["tidegate_queues_pushed_total"][0].value == 2
    calls = {sample.labels["command"]: sample.value for sample in samples["tidegate_command_calls_total"]}
    assert calls["lpop"] == 1 and "lmove" not in calls, calls
    lint(text)


def the_other_format_is_openmetrics():
    prepare()
    text = client.execute_command("METRICS", "OPENMETRICS").decode()
    families = openmetrics_parser.text_string_to_metric_families(text)
    check_histograms(check_families(families, ["tidegate_queue_"]))


def http(accept):
    url = f"http://{HOST}:{os.environ['HTTP_PORT']}/metrics"
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.headers["Content-Type"], response.read().decode()


def check_queues(samples):
    lengths = {sample.labels["queue"]: sample.value for sample in samples["tidegate_queue_length"]}
    assert lengths == {**dict.fromkeys(QUEUES.values(), 1), "watched": 1}, lengths
    assert samples["tidegate_queues"][0].value == len(lengths)
    assert samples["tidegate_queues_shown"][0].value == len(lengths)
    pushed = {sample.labels["queue"]: sample.value for sample in samples["tidegate_queue_pushed_total"]}
    assert pushed["watched"] == 2, pushed


def http_has_the_queues_too():
    prepare()
    kind, text = http("text/plain")
    assert kind.startswith("text/plain; version=0.0.4"), kind
    check_queues(check_families(parser.text_string_to_metric_families(text)))
    lint(text)


def http_has_openmetrics():
    prepare()
    kind, text = http("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text; version=1.0.0"), kind
    check_queues(check_families(openmetrics_parser.text_string_to_metric_families(text)))


def prometheus_accepts_the_examples():
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "alerts.yml")
    promtool("test", "rules", "alerts_test.yml")


def the_examples_use_metrics_that_there_are():
    known = set(documented())
    known |= {name + suffix for name in known for suffix in SUFFIXES}
    for name in ["alerts.yml", "alerts_test.yml", "dashboard.json"]:
        used = set(re.findall(r"\btidegate_\w+", (MONITORING / name).read_text()))
        # A file for passwords, in a comment.
        assert used and used <= known, f"{name}: {used - known}"


def the_dashboard_is_complete():
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["type"] == "row" or panel["targets"] for panel in panels)


checks = [
    the_text_format_is_that_of_prometheus,
    the_other_format_is_openmetrics,
    http_has_the_queues_too,
    http_has_openmetrics,
    prometheus_accepts_the_examples,
    the_examples_use_metrics_that_there_are,
    the_dashboard_is_complete,
]
run("metrics", checks)

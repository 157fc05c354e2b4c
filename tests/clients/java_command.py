"""Starts the Java programs compiled by tests/clients/run."""

from pathlib import Path


def java_command(program, libraries):
    libraries = Path(libraries, "java")
    class_path = f"{libraries}/classes:{libraries}/libraries/*"
    # They run for a second or two, in which the second compiler is no gain.
    return ["java", "-XX:TieredStopAtLevel=1", "-Xmx512m", "-cp", class_path, program]

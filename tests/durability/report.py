"""Reports checks as the programs of tests/clients do, and adds them up."""

import traceback


class Failure(Exception):
    """What is wrong, a line for each."""

    def __init__(self, lines):
        super().__init__("\n".join(lines))
        self.lines = lines


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, name, call, *arguments):
        """Runs one check; whether it passed."""
        try:
            call(*arguments)
        except (Failure, AssertionError) as failure:
            self.fail(name, str(failure).splitlines())
        except Exception:
            self.fail(name, traceback.format_exc().splitlines())
        else:
            self.passed += 1
            print(f"ok {name}", flush=True)
            return True
        return False

    def fail(self, name, lines=()):
        self.failed += 1
        print(f"FAILED {name}")
        for line in lines:
            note(line)

    def end(self):
        """The last line, and the exit status."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return int(self.failed > 0 or self.passed == 0)


def note(text):
    """Something worth reading that is not a result."""
    print(f"    {text}", flush=True)

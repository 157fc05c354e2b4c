"""The job of RQ's worker, which imports it by name."""

from job import do

__all__ = ["do"]

"""Error roots, named by what the caller may do next; leaves are named by condition."""

from __future__ import annotations

from typing import ClassVar


class OrchestratorError(Exception):
    """An error with a stable code and the facts that explain it.

    `code` is the key that error, alert and runbook share. Facts never hold secrets.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


class Transient(OrchestratorError):
    """Nothing happened; the same call may be tried again, after `retry_after_s` when given."""

    code: ClassVar[str] = "transient"

    def __init__(self, message: str, *, retry_after_s: float | None = None, **facts: object) -> None:
        super().__init__(message, **facts)
        self.retry_after_s = retry_after_s


class Refused(OrchestratorError):
    """Final: asking again changes nothing until the caller changes something."""

    code: ClassVar[str] = "refused"


class Unknown(OrchestratorError):
    """It may have happened: ask before doing it again."""

    code: ClassVar[str] = "unknown"


class Broken(OrchestratorError):
    """An invariant does not hold: stop, and let the supervisor act."""

    code: ClassVar[str] = "broken"

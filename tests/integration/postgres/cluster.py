"""A PostgreSQL of our own: a cluster in a temporary directory, reached over its Unix socket, ended by its process."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.running_system import wait_until

FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
PASSWORD = "p@ss/w#rd"
DATABASE = "postgres"


def _has_user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


AS_ANOTHER: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
LACKS = "" if FOUND and (not AS_ANOTHER or _has_user("postgres")) else "apt-get install postgresql"
"""What lets these tests run; "" when all is there. The server refuses to run as root."""


class Cluster:
    """One server; it can be stopped and started again on the same data."""

    def __init__(self) -> None:
        self._bin = FOUND[-1].parent
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has 107 bytes
        if AS_ANOTHER:
            shutil.chown(self.folder, "postgres", "postgres")
        self._process: subprocess.Popen[bytes] | None = None
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        login = ["--username=shop", f"--pwfile={secret}", "--auth=scram-sha-256"]
        how = [*login, "--no-sync", "--no-locale", "--encoding=UTF8"]
        made = subprocess.run(
            [self._bin / "initdb", "-D", self.folder / "data", *how],
            capture_output=True,
            text=True,
            cwd=self.folder,
            check=False,
            timeout=60,
            **AS_ANOTHER,
        )
        assert 0 == made.returncode, made.stderr

    @property
    def dsn(self) -> str:
        return f"postgresql://shop:p%40ss%2Fw%23rd@/{DATABASE}?host={self.folder}"

    @property
    def place(self) -> str:
        return f"{self.folder}/{DATABASE}"

    def start(self) -> None:
        """Return when it answers. It ends with the thread that calls this: let that be the main one."""
        settings = ("listen_addresses=", f"unix_socket_directories={self.folder}", "fsync=off")
        command: list[str | Path] = ["setpriv", "--pdeathsig=INT", self._bin / "postgres", "-D", self.folder / "data"]
        for setting in settings:
            command += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **AS_ANOTHER)
        wait_until(self._is_ready, within_s=60, what="PostgreSQL to be ready")

    def _is_ready(self) -> bool:
        pid_file = self.folder / "data" / "postmaster.pid"
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        if not pid_file.exists():
            return False
        pid, *_, state = pid_file.read_text().splitlines() or [""]
        return pid == str(self._process.pid) and state.strip() == "ready"

    def stop(self) -> None:
        """End it as a restart does: every session is cut, and what is committed stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

"""Looks for known vulnerabilities of the locked packages; offline it says so and stops no one."""

import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from socket import create_connection

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements-dev.lock"
HOST = "api.osv.dev"
"""Open Source Vulnerabilities: one question for all packages."""
PATIENCE = 1.0
"""Seconds to wait for its answer, names of hosts included."""


def is_reachable(host: str = HOST, patience: float = PATIENCE) -> bool:
    """Whether the data can be asked for."""
    found: list[bool] = []

    def ask() -> None:
        try:
            create_connection((host, 443), timeout=patience).close()
        except OSError:
            return
        found.append(True)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(patience)
    return bool(found)


def main() -> int:
    """0 where nothing is known against the packages, or nothing can be known."""
    if not is_reachable():
        print("vulnerability data not reachable: skipped")
        return 0
    if find_spec("pip_audit") is None:
        print("pip-audit is not installed: skipped (pip install --editable '.[audit]')")
        return 0
    words = ["--requirement", LOCK, "--require-hashes", "--disable-pip"]
    asked = [sys.executable, "-m", "pip_audit", *words, "--vulnerability-service", "osv"]
    return subprocess.run(asked).returncode


if __name__ == "__main__":
    sys.exit(main())

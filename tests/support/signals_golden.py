"""``python tests/support/signals_golden.py``: write the golden numbers of all pairs anew.

Do so where a pair is to learn otherwise than before, and look at what has changed.
"""

import json
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
FILE = TESTS / "contract" / "signals_golden.json"


def write() -> None:
    """Compute the number of every pair, and say which are others than before."""
    sys.path[:0] = [str(TESTS / "support"), str(TESTS / "contract")]
    from cases_signals import PAIRS
    from signal_laws import number_of

    before = json.loads(FILE.read_text("utf8")) if FILE.exists() else {}
    numbers: dict[str, dict[str, float]] = {}
    for name, signal in PAIRS:
        found = numbers.setdefault(name, {})[signal] = float(f"{number_of(name, signal):.6g}")
        if (old := before.get(name, {}).get(signal)) != found:
            print(f"{name} on {signal}: {old} before, {found} now")
    FILE.write_text(json.dumps(numbers, indent=1) + "\n", "utf8")


if __name__ == "__main__":
    write()

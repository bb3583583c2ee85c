"""Seconds and memory of the main job: `python -m benchmarks.speed`.

Each case runs in a process of its own, so that the peak memory is its own. The first run of a new
installation compiles the kernels; it is made and not counted.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.__main__ import RESULTS, write

CASES = {
    "500 series of length 128": "np.random.default_rng(0).standard_normal((500, 128)).cumsum(1)",
    "PenDigits, 7494 series": "st.sample('PenDigits', 'train')",
}
CODE = """
import json, resource, sys, time
import numpy as np, selftime as st
x = {data}
start = time.perf_counter(); st.pretrain; imported = time.perf_counter() - start
start = time.perf_counter(); model = st.pretrain(x); learned = time.perf_counter()
vectors = model.embed(x); done = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
seconds = dict(imports=imported, learn=learned - start, embed=done - learned)
print(json.dumps(dict(**seconds, peak_mib=peak)))
"""


def measured(code: str) -> dict[str, Any]:
    """What one process reports of itself."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def wall(*command: str, runs: int = 5) -> float:
    """Median seconds of a command as a whole process."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[runs // 2]


def main() -> None:
    """Measure, print, write."""
    measured(CODE.format(data="np.random.default_rng(0).standard_normal((40, 64))"))
    results: dict[str, Any] = {}
    for name, data in CASES.items():
        results[name] = measured(CODE.format(data=data))
        print(name, {key: round(value, 1) for key, value in results[name].items()}, flush=True)
    results["import selftime"] = wall(sys.executable, "-c", "import selftime") - wall(
        sys.executable, "-c", "pass"
    )
    results["selftime --help"] = wall(str(Path(sys.executable).with_name("selftime")), "--help")
    print({name: round(results[name], 3) for name in ("import selftime", "selftime --help")})
    write(RESULTS / "speed.json", {"seconds": results})
    print(f"written to {RESULTS / 'speed.json'}")


if __name__ == "__main__":
    main()

"""Record the peak memory of a process; Python runs this module at its start if this folder is on its path."""

import atexit
import json
import os
import sys
from pathlib import Path


def _write_peak() -> None:
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    with Path(os.environ["PEAKS"]).open("a") as file:
        file.write(json.dumps({"command": sys.argv, "peak_mb": round(peak)}) + "\n")


if "PEAKS" in os.environ:
    atexit.register(_write_peak)

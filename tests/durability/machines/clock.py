"""A clock for real processes that runs fast and can be set, by a small preloaded library (`clock.c`)."""

import mmap
import shutil
import struct
import subprocess
import time
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")
_DIAL = struct.Struct("=dqqq")
COMPILER = shutil.which("cc") or shutil.which("gcc")


class Clock:
    """The time of the processes started with `environ`; the test process itself keeps the real one."""

    def __init__(self, folder: Path, *, speed: float = 1.0) -> None:
        """Build the library in `folder`; in one real second `speed` seconds pass for the processes.

        Raises:
            RuntimeError: there is no C compiler.
        """
        if COMPILER is None:
            raise RuntimeError("a fast clock needs a C compiler: apt install gcc")
        library, dial = folder / "clock.so", folder / "clock.dial"
        subprocess.run(
            [COMPILER, "-O2", "-shared", "-fPIC", "-o", library, _SOURCE, "-ldl", "-lpthread"], check=True
        )
        self.speed = speed
        self._real, self._monotonic = time.time_ns(), time.monotonic_ns()
        dial.write_bytes(_DIAL.pack(speed, self._real, self._monotonic, 0))
        with dial.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _DIAL.size)
        self._forward = 0
        self.environ = {"LD_PRELOAD": str(library), "CLOCK_DIAL": str(dial)}

    def now(self) -> float:
        """Return the processes' time in epoch seconds."""
        run = (time.monotonic_ns() - self._monotonic) * self.speed
        return (self._real + run + self._forward) / 1e9

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back; the monotonic clock goes on unchanged."""
        self._forward += int(seconds * 1e9)
        # One aligned store of eight bytes, so that no process reads half of it.
        self._page[24:32] = struct.pack("=q", self._forward)

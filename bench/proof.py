"""What the proof of work costs a program, by one core of this machine."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from services.protection.proof_of_work import HIGHEST, MOST_TIMES

SOURCE = Path(__file__).with_name("preload") / "proof.c"


def measure() -> list[tuple[str, str]]:
    """Measure with two C loops; half of the numbers are tried on average. Needs OpenSSL's headers."""
    compiler = shutil.which("cc")
    if compiler is None:
        return [("a proof of work", "skipped: no C compiler")]
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "proof"
        command = [compiler, "-O3", "-o", str(program), str(SOURCE), "-lcrypto"]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return [("a proof of work", "skipped: OpenSSL's headers are missing")]
        plain, once, _ = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    return [
        ("a loop over OpenSSL's SHA256()", _cost(float(plain))),
        ("a loop that hashes the salt once", _cost(float(once))),
    ]


def _cost(per_second: float) -> str:
    seconds = HIGHEST / 2 / per_second
    return (
        f"{per_second / 1e6:.1f} M/s: {seconds * 1000:.0f} ms, {seconds * 1000 * MOST_TIMES:.0f} ms when busy"
    )

"""Run every measurement and print one table."""

import platform

import gunicorn

from bench import accept, answers, boot, burst, proof, protection, slow_peers, token, token_wait


def main() -> None:
    """Measure and print."""
    print(f"Python {platform.python_version()}, gunicorn {gunicorn.__version__}, {platform.machine()}")
    for title, rows in (
        ("Start", boot.measure()),
        ("Accepting sign-ups", accept.measure()),
        ("A burst", burst.measure()),
        ("Slow peers", slow_peers.measure()),
        ("What the time of an answer tells", answers.measure()),
        ("Waiting for a token", token_wait.measure()),
        ("Protection of forms", protection.measure()),
        ("A proof of work, half a second of a telephone", proof.measure()),
        ("Access token", token.measure()),
    ):
        print(f"\n{title}")
        for name, value in rows:
            print(f"  {name:<52} {value}")


if __name__ == "__main__":
    main()

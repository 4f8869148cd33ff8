"""How gunicorn serves the app; it reads this file by itself. Command line options override it."""

from __future__ import annotations

import gc
import itertools
import os
import random
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from settings import THREADS_PER_WORKER, Settings, SettingsError

try:
    _settings = Settings.from_env()
except SettingsError as problem:
    # Here, before any fork: one message instead of a traceback from each worker.
    sys.exit(str(problem))

bind = _settings.listen_on
# gunicorn itself believes no header of a proxy: which ones count, and from whom, is decided in one place
# (web/security/forwarded.py).
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
# A request gets a thread when it is complete: slow peers hold none.
worker_class = "serving.worker.BufferingWorker"
workers = _settings.web_concurrency
threads = THREADS_PER_WORKER
# A worker whose loop says nothing for so long is frozen, and what it has accepted waits until it is killed.
# Calls to Constant Contact are made by threads of their own and keep no loop silent.
timeout = 30
graceful_timeout = 30
keepalive = 5
# One queue for all: with a queue for each worker, a frozen one keeps its share of the visitors waiting, and
# those in the queue of one that ends are reset. The workers share kept connections among themselves.
reuse_port = False
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - gunicorn's heartbeat file
# Two apps of one user would share the socket's path in $HOME.
control_socket_disable = True
# Our own request log leaves out the query string, which holds the OAuth code.
accesslog = None

# One of a process's threads computes at a time. Handing that right over between CPUs, with caches that know
# nothing of the data, cost up to a quarter of the speed of accepting sign-ups.
_cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
# The applications of a large host do not all begin with the first one.
random.shuffle(_cpus)


def on_starting(server: Any) -> None:
    """Allow as many open connections as the host does; keep the built-in sandbox to one process."""
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # The sandbox's state lives in memory.
    if _settings.builtin_sandbox and server.num_workers != 1:
        server.log.info("One worker only, because the built-in sandbox keeps its state in memory.")
        server.num_workers = 1


def pre_fork(server: Any, worker: Any) -> None:
    """Give the worker the first place that no other one has; that of a worker that ended is free again."""
    taken = {other.place for other in server.WORKERS.values()}
    worker.place = next(place for place in itertools.count() if place not in taken)
    worker.announce(worker.place)


def post_worker_init(worker: Any) -> None:
    """Keep this worker to one CPU, and start delivering: after the fork, since threads do not survive one."""
    with suppress(OSError):  # some hosts forbid it
        if _cpus:
            # Threads that begin later do as the one that starts them.
            os.sched_setaffinity(0, {_cpus[worker.place % len(_cpus)]})
    worker.app.callable.extensions["parts"].background.start()
    # What is here by now stays. Looking it through for garbage takes 0.1 s in which nobody is answered, and a
    # call that is to leave now leaves late.
    gc.freeze()


def worker_exit(_server: Any, worker: Any) -> None:
    """Finish the call in flight."""
    if worker.app.callable is not None:
        worker.app.callable.extensions["parts"].background.stop()

"""gunicorn's configuration, which it reads by itself from the working directory; options override it."""

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
# gunicorn itself trusts no header of a proxy: web/security/forwarded.py alone decides which ones count, and
# from which addresses.
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
# A request gets a thread when it is complete, so slow peers occupy none.
worker_class = "serving.worker.BufferingWorker"
workers = _settings.web_concurrency
threads = THREADS_PER_WORKER
# In seconds. gunicorn kills a worker whose loop has not reported for so long; what it accepted waits until
# then. Calls to Constant Contact are made by other threads and do not stop the loop.
timeout = 30
graceful_timeout = 30
keepalive = 5
# One queue of connections for all workers: with a queue each, a frozen worker would keep its share of the
# visitors waiting, and those in the queue of one that ends would be reset. The workers balance kept
# connections themselves (serving/sharing.py).
reuse_port = False
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - gunicorn's heartbeat file
# The control socket's path in $HOME would be the same for two apps of one user.
control_socket_disable = True
# web/request_log.py logs requests without the query string, which may hold the OAuth code.
accesslog = None

# Each worker keeps to one CPU. Only one thread of a process computes at a time; passing that right from CPU
# to CPU, with cold caches, cost up to a quarter of the speed of accepting sign-ups.
_cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
# Shuffled, so that several applications of a large host do not all use the first CPU.
random.shuffle(_cpus)


def on_starting(server: Any) -> None:
    """Raise the limit of open files to the host's; keep the built-in sandbox to one process."""
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # The sandbox's state lives in memory.
    if _settings.builtin_sandbox and server.num_workers != 1:
        server.log.info("One worker only, because the built-in sandbox keeps its state in memory.")
        server.num_workers = 1


def pre_fork(server: Any, worker: Any) -> None:
    """Give the worker the first place that no other one has; the place of an ended worker is free again."""
    taken = {other.place for other in server.WORKERS.values()}
    worker.place = next(place for place in itertools.count() if place not in taken)
    worker.announce(worker.place)


def post_worker_init(worker: Any) -> None:
    """Bind this worker to one CPU and start the background threads, which would not survive the fork."""
    with suppress(OSError):  # some hosts forbid it
        if _cpus:
            # Threads inherit this from the one that starts them.
            os.sched_setaffinity(0, {_cpus[worker.place % len(_cpus)]})
    worker.app.callable.extensions["parts"].background.start()
    # The objects that exist by now are never garbage. A collection that examines them takes 0.1 s, in which
    # no request is answered, and a call to the vendor that is due departs late.
    gc.freeze()


def worker_exit(_server: Any, worker: Any) -> None:
    """Stop the background threads; a call under way is finished."""
    if worker.app.callable is not None:
        worker.app.callable.extensions["parts"].background.stop()

"""Workers that say what they run on; a master that says what its workers inherit."""

from __future__ import annotations

import os
from typing import Any

import omp_magic

bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"
workers = 2
timeout = 30


def when_ready(server: Any) -> None:
    """Log what a preloaded application has started before the workers are forked."""
    if server.cfg.preload_app:
        omp_magic.log_status()


def post_worker_init(worker: Any) -> None:
    """Warm up in the worker, where its threads are its own, and log what it runs on."""
    worker.wsgi.extensions["search"].warm_up()
    omp_magic.log_status()

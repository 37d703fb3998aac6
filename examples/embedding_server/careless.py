"""The same server as it is often written: FAISS first, by the alphabet, and warmed up at import.

FAISS first gives a process two pools of OpenMP. With ``gunicorn --preload`` the warm-up runs in the
master, and the workers, which are forked from a process whose pools have started, hang in the
first request (OMP204).
"""

from __future__ import annotations

from searching import make_app

app = make_app()
app.extensions["search"].warm_up()

"""pytest's plugin: what a session of tests changes in its process, and who did it."""

"""The same code with one number of threads or workers after another: measured, judged, told."""

"""Where loads are seen before and after they happen, and the way to let go.

Whatever wraps a function of somebody else's comes in here; it knows nothing of runtimes.
"""

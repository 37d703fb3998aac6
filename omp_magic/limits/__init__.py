"""Limits on threads: what is in force, what it turns, and how it reaches threads and loads."""

"""Threads and child processes of this process, and whose each thread is."""

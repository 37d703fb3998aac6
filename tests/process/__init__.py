"""The running process, real child processes and real wheels."""

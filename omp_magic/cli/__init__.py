"""The command `omp-magic`: `main` chooses a command, `commands` is their table.

Each command is a module, which says what it takes (`add`) and does it (`run`); it is imported when
it is the one that was asked for, or for the help. What comes in here are words, what goes out is
text on stdout, messages on stderr and an exit code.
"""

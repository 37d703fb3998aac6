"""How a program is to be started: words and facts in, its variables out.

`making` is what `omp-magic run` waits for and imports nothing that it has no use for; `asking`
reads the words, `fixes` knows what a variable can mend, `lines` chooses what a file is told.
"""

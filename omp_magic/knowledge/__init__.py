"""Tables, and what they mean: families of runtimes, variables, who reads them, which one wins.

What is true of every machine comes in here; what was read on one is a fact.
"""

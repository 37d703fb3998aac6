"""The engines of a cluster as they are: who their workers are, and how each is asked.

An engine is known by its module in `sys.modules`; none is imported here that is not already.
"""

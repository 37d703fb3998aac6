"""Variables with their comments -> the text of a tool's own file: one function a format.

`table` has them all. Each quotes as its tool reads, or refuses in one line what that cannot hold.
"""

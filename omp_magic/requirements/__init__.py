"""Files that say what is to be installed, and the wheels that they give on a system.

Nothing of a wheel is run or unpacked to its place, and no source distribution is built.
"""

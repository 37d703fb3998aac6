"""Imports tried in a child process, in one order or in several."""

"""Imports on another system: its name, its files or its wheels, and what would happen there."""

"""Parsers, tables, rules, views, and the project's own pages: no kernel and no child process."""

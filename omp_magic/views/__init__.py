"""Facts and findings in, something to look at out: text, HTML, tables. A view never probes."""

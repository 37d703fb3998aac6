"""The dashboard's drawing: its rows, chart, squares, page and widgets."""

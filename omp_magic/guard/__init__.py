"""Warns before a load would start an OpenMP runtime twice; what is coming is judged as facts."""

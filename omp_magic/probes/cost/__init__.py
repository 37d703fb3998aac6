"""What a cell used: CPU time by thread and owner, samples, and what limited it."""

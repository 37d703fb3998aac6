"""The only code that reads the machine. Every probe takes a `Machine`."""

"""What Linux and macOS have in common: the C library's loader and environment."""

"""Real kernels, cells and code blocks."""

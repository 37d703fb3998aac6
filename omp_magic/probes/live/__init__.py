"""What the kernel tells of this process look by look, for the dashboard; no runtime is asked."""

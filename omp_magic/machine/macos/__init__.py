"""macOS' answers, from dyld, libproc, Mach and sysctl."""

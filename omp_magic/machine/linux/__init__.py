"""Linux' answers, from /proc, /sys and glibc."""

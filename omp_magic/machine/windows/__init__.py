"""Windows' answers, from Win32, the PEB and the tables of images in memory."""

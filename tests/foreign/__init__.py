"""Sites of macOS and Windows: the real wheels, and what is recorded of them for the other tests."""

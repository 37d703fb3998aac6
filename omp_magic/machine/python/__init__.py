"""What Python itself has of its system, as far as each has it: one function a question."""

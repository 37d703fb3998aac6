"""Changes thread counts, and gives them back: what is in force, what it turns, whom it reaches."""

"""What a program without IPython is told: its state at the start, its sections, its metrics."""

"""What importing would load, told from files alone: modules, distributions, wheels."""

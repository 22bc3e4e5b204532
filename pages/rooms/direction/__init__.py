"""What one direction of weight space is: its numbers, its weights, and who carries it."""

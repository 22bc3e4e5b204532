"""The form of a run, what it costs, and its start."""

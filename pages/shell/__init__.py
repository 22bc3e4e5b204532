"""What surrounds every page: title, menu, run, questions, and the check of its numbers."""

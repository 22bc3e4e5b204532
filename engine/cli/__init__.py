"""`python -m engine`: what each command does, and how it tells of it in a terminal."""

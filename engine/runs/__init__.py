"""Runs from training to analysis, kept in the cache and read from it: pipeline, library, live recordings, estimates."""

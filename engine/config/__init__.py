"""What can be asked for: requests and their keys, settings and presets, and the words of the command line."""

"""A package for each page: its panels, figures, choices and texts. The page itself is the file beside `rooms`."""

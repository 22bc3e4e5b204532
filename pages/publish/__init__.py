"""The results page of a sweep: its table, its figures, and what holds of the paper's claims, as Markdown."""

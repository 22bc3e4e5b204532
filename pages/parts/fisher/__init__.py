"""The page that tests whether C = H/B: its figures, its sentences and its words."""

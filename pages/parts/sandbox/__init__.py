"""The parts of the page "What sets γ"."""

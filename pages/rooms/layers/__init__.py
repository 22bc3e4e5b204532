"""The network layer by layer: what is analysed, what is missing, and what changes along depth."""

"""Whether γ holds on other samples."""

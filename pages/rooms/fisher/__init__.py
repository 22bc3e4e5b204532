"""Whether C = H/B: the Fisher argument, link by link."""

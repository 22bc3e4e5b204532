"""The page Live, part by part."""

"""Networks: their arithmetic, their building, and the files that hold their weights."""

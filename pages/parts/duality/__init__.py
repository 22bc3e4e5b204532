"""Parts of the page on activity-weight duality."""

"""What is looked at, as the session and the URL hold it, and the looks of what is shown."""

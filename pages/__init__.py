"""The dashboard's pages, one file each; what they show is in pages.rooms."""

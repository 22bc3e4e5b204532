"""What pages share: frame, selection, controls, figures, jobs. Nothing here is a page."""

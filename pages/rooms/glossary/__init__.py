"""The terms in order, and questions whose answers the app computes."""

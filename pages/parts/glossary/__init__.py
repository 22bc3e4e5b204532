"""The terms in order, the legends of figures, and questions whose answers the app computes."""

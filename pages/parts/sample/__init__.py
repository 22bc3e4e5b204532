"""The page of one sample's Hessian: its figures, its knobs and its words."""

"""Models: what there is, what their layers are, and how some of them are trained here."""

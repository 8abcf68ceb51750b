"""How targets are predicted from a representation, for stimuli held out of the fit."""

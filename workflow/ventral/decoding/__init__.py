"""Linear decoding of labels and properties from populations of units."""

"""Networks as Python source, whichever library it is for: classes, names, layout."""

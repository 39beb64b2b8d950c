"""The words of the language: operators, their arguments and values, checked."""

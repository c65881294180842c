"""Lock the spans of a test in a text file: write it, read it, compare with it, update it."""

"""What a test expects: spans, groups, names, values."""

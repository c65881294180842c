"""Whether the spans are what a test expects, and which pattern each of them fits."""

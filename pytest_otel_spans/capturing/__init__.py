"""The spans of one test, and what can be asked of them."""

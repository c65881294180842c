"""Why the spans are not what a test expects, in one annotated tree."""

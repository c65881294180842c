"""One command turns a sentence into reviewed results, and every run is one span tree."""

"""Spans as text: outlines, literals, trees, colour."""

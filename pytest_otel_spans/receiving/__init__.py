"""Spans of other processes, over OTLP."""

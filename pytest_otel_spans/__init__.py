"""Test OpenTelemetry spans with pytest: write the tree you expect, read the tree you got."""

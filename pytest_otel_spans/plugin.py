"""The pytest plugin: hooks and fixtures, and nothing imported before they are used but pytest."""

"""Hold spans against a registry: what its groups say of their attributes, events and parents."""

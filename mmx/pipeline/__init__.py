"""Steps: their declaration, their registry, and how one is run on a project."""

"""What a step is, which steps there are, and how one is run over a project."""

"""What DVC and git record of the outputs: dvc.lock, DVC's cache, history."""

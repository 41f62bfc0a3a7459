"""What DVC and git remember of the outputs: dvc.lock, DVC's cache, history."""

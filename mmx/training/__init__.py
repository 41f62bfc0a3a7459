"""Training: the collection as arrays, coarse training and fine-tuning, one explicit loop each."""

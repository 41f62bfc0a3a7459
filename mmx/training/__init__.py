"""Training: the collection as arrays, coarse and fine, one visible loop each."""

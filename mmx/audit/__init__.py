"""Where every row came from, whether it still is what it was, and how to mend it."""

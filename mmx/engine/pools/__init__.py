"""Where items are computed: local processes."""

"""What training refuses."""


class CollectionError(Exception):
    """The collection cannot be used for this training; the message says why and what to do."""

"""Training: the collection as arrays, coarse training and fine-tuning, one explicit loop each."""

from mmx.errors import UserError


class CollectionError(UserError):
    """The collection cannot be used for this training; the message says why and what to do."""

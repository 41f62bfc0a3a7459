"""Why a collection cannot be trained on."""

from mmx.errors import UserError


class CollectionError(UserError):
    """The collection cannot be used for this training; the message says why and what to do."""

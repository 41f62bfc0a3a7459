"""The one exception that means: the video is at fault, not the machine."""

from mmx.errors import UserError


class MediaFault(UserError):
    """A file cannot serve as a trailer; decoding it again would end the same way.

    Equal files give equal messages: one sentence, without paths.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        """A short name of the kind of fault, such as `truncated`."""
        self.message = message
        """What is wrong, for a person, in one sentence."""

    def __str__(self) -> str:
        """Return the sentence."""
        return self.message

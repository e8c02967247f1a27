"""A password on its way from whoever typed it to the one request that needs it. Shows itself nowhere, and only once."""

from typing import NoReturn


class Secret:
    """`take()` gives the text once; printing, copying and pickling give nothing."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: str | None = text

    def take(self) -> str | None:
        """The text the first time, None ever after: one run makes one attempt."""
        text, self._text = self._text, None
        return text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied")

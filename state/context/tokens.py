"""How much room a text takes in a prompt, estimated: docs/context.md says how far off that is."""

CHARACTERS = 4  # code points to a token


def count_tokens(text: str) -> int:
    """The estimate for a text: a token for every four characters, the last one counted whole."""
    return estimate_tokens(len(text))


def estimate_tokens(characters: int) -> int:
    """The estimate for a text of so many characters."""
    return -(-characters // CHARACTERS)

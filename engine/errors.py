"""What was asked for and cannot be is said in one sentence."""


def require(condition: bool, sentence: str) -> None:
    """Raise ValueError(sentence) unless the condition holds."""
    if not condition:
        raise ValueError(sentence)

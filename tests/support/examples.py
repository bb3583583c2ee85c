"""How many examples hypothesis draws for laws that cost more, or need more, than others."""

from hypothesis import settings


def examples(count: int) -> settings:
    """So many where a law usually gets 100, and in proportion, but 5, where all get fewer."""
    return settings(max_examples=max(count * settings.default.max_examples // 100, min(count, 5)))

"""What a series looks like twice: augmentations."""

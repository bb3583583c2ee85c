"""The page of a run folder, section by section."""

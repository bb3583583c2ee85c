"""Texts as a language: how well a model guesses their symbols, and what it writes."""

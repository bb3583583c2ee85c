"""What representations are for: few-label classification and the honest verdict."""

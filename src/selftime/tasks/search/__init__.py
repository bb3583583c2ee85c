"""Search among series by their vectors."""

"""From the journal to a running engine."""

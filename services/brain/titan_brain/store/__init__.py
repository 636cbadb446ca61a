"""The Brain's database: a projection of the journal, and its own decisions. Knows no rules."""

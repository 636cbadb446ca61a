"""One file per contract service. Never decides; it asks the rules and the record."""

"""One recipe per consumed event. Never decides; it hands on."""

"""What Execution sees, stated for the Brain to judge."""

"""What an operator asks and commands: status, why, halt, resume, keys, policy, streams."""

"""The code generator of the contract: one plugin, every derived file."""

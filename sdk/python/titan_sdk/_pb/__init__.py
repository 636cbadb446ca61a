"""Generated messages of the contract. Do not edit."""

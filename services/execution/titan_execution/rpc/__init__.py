"""The gRPC surface, one file per service of the contract."""

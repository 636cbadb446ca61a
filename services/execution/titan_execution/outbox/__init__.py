"""What Execution says on the bus: reports by LSN, verdicts."""

"""Side by side with peers: the same input, one run, one machine, one core unless it says otherwise."""

"""Real clients, unchanged, on the local Azure: `make clients` says what they can do there."""

"""Read the memories of open-source Mem0 where it keeps them, without Mem0 and without a key."""

"""Where rows come from: files, addresses, shards, memory, generated ones. No loss is computed, and no option known."""

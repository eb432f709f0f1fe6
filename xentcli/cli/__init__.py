"""One file a command; the only place that says click. It names the concrete choices, and hands them to the rooms."""

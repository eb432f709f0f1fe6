"""The manual: pages in Markdown, the schema of the JSON, and what reads them."""

"""One row told step by step, and the examples of codes. The numbers are the other rooms'; here they get an order."""

"""One sample told step by step: what each path computes, what it should be, and where digits are lost."""

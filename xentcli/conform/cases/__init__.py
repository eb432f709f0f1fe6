"""What is asked of an implementation: the cases, their corpus, and the arrays' layouts. Nobody is called here."""

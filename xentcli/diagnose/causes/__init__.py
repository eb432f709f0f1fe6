"""The mistakes that reproduce a wrong loss: what each computes, and which of them gives a claimed value."""

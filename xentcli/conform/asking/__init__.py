"""How an implementation is asked: in this process, or as a program behind a pipe. No answer is judged here."""

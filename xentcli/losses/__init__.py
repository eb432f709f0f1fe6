"""The three losses: the library's, the textbook's, and the true one, enclosed. No tolerance lives here."""

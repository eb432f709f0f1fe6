"""Results become a summary and a snippet that shows the fault again. Nothing is judged here."""

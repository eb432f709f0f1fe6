"""What rounding allows each path, derived for its format and its order of additions. Nothing is compared here."""

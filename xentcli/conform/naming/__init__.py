"""Why an answer is wrong: mistakes that predict it within its bounds. Nobody is asked here, and no verdict changed."""

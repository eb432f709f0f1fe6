"""Why a number is wrong, and what the input looks like: causes and findings. The verdict itself is made before."""

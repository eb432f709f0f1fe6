"""Somebody else's loss, judged on a corpus with certified answers. What is true and allowed comes from other rooms."""

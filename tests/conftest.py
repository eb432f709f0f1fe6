"""How Hypothesis runs: without time limits, and in CI with the same examples every time, so that red means a change."""

import os

from hypothesis import settings

settings.register_profile("project", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("project")

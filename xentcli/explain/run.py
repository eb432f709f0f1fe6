"""From a problem and a row to the record that tells it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from xentcli import __version__
from xentcli.diagnose.summary import FAULTS
from xentcli.engine import EXACT_BITS
from xentcli.exactsum import ExactSum
from xentcli.explain.exact import TrueNumbers, precise, rounded, weigh
from xentcli.explain.gradient import gradient
from xentcli.explain.notes import Told, ignored, notes
from xentcli.explain.sample import Sample, sample_of, worst_row
from xentcli.explain.steps import Lesson, in_ulps
from xentcli.explain.terms import Target, class_sum, target_of
from xentcli.explain.trace import trace
from xentcli.explain.ways import MOST_TERMS, Ways
from xentcli.facts import Measured, PathRows, RangeFacts, Reduced, StoredFacts
from xentcli.judge import Question, Verdict, judge
from xentcli.losses.kernels import check_kernels
from xentcli.measure import ALL_CLASSES, TOP_CLASSES, path_facts, truth_facts
from xentcli.paths import Computed, bounds_of, certify, judge_rows
from xentcli.policy import Policy
from xentcli.precision import PRECISIONS
from xentcli.records import ClassNumber, Explanation, OptionsInfo, Tool

"""What the names of a table's columns say: which cannot be classes, whatever numbers stand under them."""

from __future__ import annotations

import re
from collections import Counter

from xentcli.sources.files import excerpt

# pandas' names for the numbers of the rows, where nobody gave the index a name; it is left out
OWN_INDEX = re.compile(r"unnamed: 0(\.\d+)?|__index_level_\d+__", re.IGNORECASE)
INDEX_BEGINS = ("index", "level_", "unnamed: ", "__index_level_")
INDEX = re.compile(r"index|level_\d+|unnamed: \d+(\.\d+)?|__index_level_\d+__", re.IGNORECASE)
IDS = {"id", "idx", "uid", "uuid", "guid", "row", "row_idx", "row_index", "row_number", "sample_idx", "example_idx"}
ID_ENDS = ("_id", " id", "-id")
LABEL = {
    "label", "labels", "target", "targets", "label_id", "label_ids", "y_true", "ground_truth", "gt", "true_label",
    "true_class",
}  # fmt: skip
OF_LABELS = LABEL | {"y", "class", "gold", "truth", "category"}  # in a file that holds the labels
BESIDE = {
    "pred", "preds", "prediction", "predictions", "predicted", "pred_label", "pred_class", "y_pred", "argmax",
    "epoch", "step", "batch", "loss", "fold", "correct", "confidence", "entropy", "accuracy", "seed", "timestamp",
}  # fmt: skip
NO_CLASS = IDS | LABEL | BESIDE
NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)


def is_label(name: str) -> bool:
    """Whether a column of this name holds labels wherever it stands."""
    return name.strip().lower() in LABEL


def is_index(name: str) -> bool:
    """Whether pandas calls the numbers of the rows so."""
    return name[:1] in "uU_" and OWN_INDEX.fullmatch(name.strip()) is not None


def names_rows(name: str) -> bool:
    """Whether a column of this name says which sample a row is."""
    plain = name.strip().lower()
    if plain in IDS or (plain.endswith(ID_ENDS) and plain not in LABEL):
        return True
    return plain.startswith(INDEX_BEGINS) and INDEX.fullmatch(plain) is not None


def no_class(name: str) -> str:
    """Why a column of this name is no class; empty for one that may be."""
    plain = name.strip().lower()
    if not plain:
        return "a column without a name"
    if plain in NO_CLASS or plain.endswith(ID_ENDS) or (plain.startswith(INDEX_BEGINS) and names_rows(plain)):
        return excerpt(name)
    return ""


def odd_ones(names: list[str]) -> set[int]:
    """Those not named like the others, where most are a word and a number that counts: logit_0, logit_1, entropy."""
    matches = [NUMBERED.fullmatch(name) for name in names]
    words = Counter(match[1] for match in matches if match)
    if not words:
        return set()
    word, count = words.most_common(1)[0]
    numbers = [int(match[2]) for match in matches if match and match[1] == word]
    counts = sorted(numbers) in (list(range(count)), list(range(1, count + 1)))
    if count < 2 or not counts or 2 * count <= len(names):
        return set()
    return {place for place, match in enumerate(matches) if not match or match[1] != word}

"""What the names of a table's columns say: which cannot be classes, whatever numbers stand under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.errors import InputError
from xentcli.sources.files import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable

INDEX = {"", "index", "level_0", "unnamed: 0", "__index_level_0__"}  # pandas' names for the numbers of the rows
LABEL = {"label", "labels", "target", "targets", "label_id", "label_ids", "y_true", "ground_truth"}
BESIDE = {
    "id", "idx", "row_id", "sample_id", "example_id", "pred", "preds", "prediction", "predictions", "predicted",
    "y_pred", "argmax", "epoch", "step", "batch", "loss", "fold", "correct",
}  # fmt: skip

WITHOUT_INDEX = "write the table again without its index: to_csv(…, index=False), to_parquet(…, index=False)"
RENAME = "leave this column out of the file, or rename it if it is a class"


def check_classes(at: str, names: Iterable[str]) -> None:
    """InputError for columns taken side by side of which one has the name of something else."""
    kept = list(names)
    for name in kept:
        if len(kept) > 1 and (hint := _remedy(name)):
            raise InputError(
                "a column that is no class stands among the others",
                at=at,
                found=excerpt(name) if name else "a column without a name",
                expected="a column a class, and no other",
                hint=hint,
            )


def _remedy(name: str) -> str:
    """What to do about a column of this name; empty for one that may be a class."""
    plain = name.strip().lower()
    if plain in INDEX:
        return WITHOUT_INDEX
    if plain in LABEL:
        return f"the labels? leave LABELS out and give --label-column {name.strip()}"
    return RENAME if plain in BESIDE else ""

"""What `xent compare` asks for, computed here, elsewhere or in parts; it imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from xentcli.cli.parts import Work
from xentcli.comparing.measuring import measure_pairs
from xentcli.comparing.opening import open_pairing
from xentcli.comparing.partial import PairAsked, PairPartial, read_pair_partial
from xentcli.comparing.problem import Floor, Pairing
from xentcli.comparing.run import Wanted, compare
from xentcli.question.problem import BLOCK_BYTES, Options
from xentcli.running.memory import keep_freed_memory

if TYPE_CHECKING:
    from xentcli.cli.elsewhere import Workers
    from xentcli.cli.parts import Parts
    from xentcli.numbers.arrays import Array
    from xentcli.records.comparison import Comparison
    from xentcli.records.progress import Watcher
    from xentcli.running.opening import Elsewhere
    from xentcli.sources.named import NamedSides


@dataclass(frozen=True)
class Request:
    """The files, how they are read, and what is wanted of them."""

    sides: NamedSides
    opened: tuple[Array, Array | None, list[Array]]  # them
    options: Options
    floor: Floor | None
    wanted: Wanted

    def comparison(
        self, parts: Parts, workers: Workers, *, threads: int | None, block_bytes: int | None, progress: Watcher
    ) -> Comparison:
        """Of all rows, or of a share of them, after its facts were saved where they are wanted."""
        elsewhere = None
        if workers.wanted:
            named = self.sides.for_others()
            elsewhere = workers.opening(
                partial(open_pairing, named, self.options, floor=self.floor, worst=self.wanted.rows)
            )
        keep_freed_memory()
        cut = block_bytes or BLOCK_BYTES
        pairing = Pairing.of(*self.opened, self.options, cut, floor=self.floor, worst=self.wanted.rows)
        if parts.wanted:
            return self._part(pairing, parts, threads, elsewhere, progress)
        return compare(pairing, self.wanted, threads=threads, elsewhere=elsewhere, progress=progress)

    def _part(
        self, pairing: Pairing, parts: Parts, threads: int | None, elsewhere: Elsewhere | None, progress: Watcher
    ) -> Comparison:
        self.wanted.check(labelled=pairing.has_labels)
        pairing = pairing.read_as(in_parts=True)
        measure = partial(measure_pairs, pairing, threads=threads, elsewhere=elsewhere, progress=progress)
        asked = PairAsked.of(pairing, self.wanted)
        work = Work(pairing, asked, self.sides.saved(), PairPartial.of, read_pair_partial, measure)
        computed: PairPartial = parts.computed(work, progress)
        return computed.report(parts.share)

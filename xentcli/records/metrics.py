"""The metrics of a report by name, as one record that loggers take."""

from __future__ import annotations

from xentcli.records.statistic import Statistic


class Metrics(dict[str, Statistic]):
    """Name -> the metric, in the order in which they are told."""

    def flat(self, prefix: str = "") -> dict[str, float]:
        """The values alone, as `wandb.log` and MLflow's `log_metrics` take them.

        >>> Metrics(ece=Statistic(0.04, 0.04, 0.04)).flat("eval/")
        {'eval/ece': 0.04}
        """
        return {f"{prefix}{name}": each.value for name, each in self.items()}

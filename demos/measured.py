"""What metrics say of many changed copies of a run."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from demos.statistics import mean_interval


@dataclass(frozen=True)
class Measured:
    """Metrics of every copy, and of the two runs that the copies lie between.

    Where a method takes a metric's name and is given none, it takes the first.
    """

    metrics: dict[str, Float[Tensor, "*axes example"]]  # one example, where a metric is one number
    clean: dict[str, Float[Tensor, " example"]]
    corrupted: dict[str, Float[Tensor, " example"]]

    @property
    def values(self) -> Float[Tensor, "*axes"]:
        return self.mean()

    def mean(self, metric: str | None = None) -> Float[Tensor, "*axes"]:
        """The mean over examples."""
        return self.metrics[self._name(metric)].mean(dim=-1)

    def per_example(self, metric: str | None = None) -> Float[Tensor, "*axes example"]:
        return self.metrics[self._name(metric)]

    def normalized(self, metric: str | None = None) -> Float[Tensor, "*axes"]:
        """The mean, on the scale on which the corrupted run is 0 and the clean run 1.

        Raises ValueError if the two runs do not differ in this metric.
        """
        name = self._name(metric)
        low, high = self.corrupted[name].mean(), self.clean[name].mean()
        if low == high:
            raise ValueError(
                f"clean and corrupted agree in {name!r}: there is no scale between them"
            )
        return (self.mean(name) - low) / (high - low)

    def interval(
        self, metric: str | None = None
    ) -> tuple[Float[Tensor, "*axes"], Float[Tensor, "*axes"]]:
        """95 % bootstrap interval of the mean over examples: (low, high).

        Raises ValueError for a metric that gives one number for a whole batch.
        """
        examples = self.per_example(metric)
        if examples.shape[-1] == 1:
            raise ValueError("an interval needs several examples, each with a value of its own")
        return mean_interval(examples)

    def _name(self, metric: str | None) -> str:
        return next(iter(self.metrics)) if metric is None else metric

    def __array__(self, dtype=None, copy=None):  # so that numpy and torch take it as its values
        return self.values.cpu().numpy()

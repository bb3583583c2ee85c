"""Learning from labels: from scratch, which self-supervision has to beat, and fine-tuning."""

from jaxtyping import Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, valid_tokens
from selftime.objectives.base import Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.supervised.heads import AllTokens, AttentionPool
from selftime.objectives.supervised.targets import TargetType
from selftime.settings import describe
from selftime.shapes import Tokens


class Supervised(nn.Module):
    """An encoder and a head, from vectors (…,D) to outputs (…,K); trained as objectives are.

    ``pool`` makes a vector of the tokens of a series; None pools as the encoder does. An encoder
    that was ``learned`` before is not prepared anew. ``rates`` are factors of the learning rate, by
    the beginning of the names of weights. Frozen parts keep their weights, and in training too they
    compute what they do in use, so that no statistic of a batch and no dropout moves them.
    """

    recipe = Recipe(batch_size=16, rate=1e-3, weight_decay=1e-4, warmup=0.0, cosine=False)

    def __init__(
        self,
        *,
        encoder: Encoder,
        head: nn.Module,
        target_type: TargetType,
        pool: AttentionPool | AllTokens | None = None,
        learned: bool = False,
        rates: dict[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.head, self.target_type = encoder, head, target_type
        self.pool, self.learned, self.rates = pool, learned, rates

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Set what depends on the data but is not learned, from a sample of series."""
        if not self.learned:
            self.encoder.prepare(sample, rng)

    def train(self, mode: bool = True) -> "Supervised":
        """Switch between training and use; frozen parts are always in use."""
        super().train(mode)
        if mode:
            _use_frozen(self.encoder)
        return self

    def __repr__(self) -> str:
        return describe(self)

    def forward(self, batch: Batch, rng: Generator, targets: Tensor) -> Step:  # noqa: ARG002
        """Encode, map, compare with the target of each series or step."""
        vectors = distribute(self.vectors, batch)  # (B,D), or (B,N,D) by step
        loss = self.target_type.loss(self.outputs_of(vectors, batch), targets)
        seen = vectors.detach()
        return Step(loss, {}, seen.mean(dim=1) if self.target_type.by_step else seen)

    def vectors(self, batch: Batch) -> Tensor:
        """Return the input of the head: one vector per series (B,D), or per token (B,N,D)."""
        if self.pool is None and not self.target_type.by_step:
            return self.encoder.embed(batch)
        tokens: Tokens = self.encoder(batch)
        if self.target_type.by_step:
            return tokens
        pooled: Tensor = self.pool(tokens, valid_tokens(self.encoder, batch))  # type: ignore[misc]
        return pooled

    def outputs_of(self, vectors: Tensor, batch: Batch) -> Tensor:
        """Return outputs (B,K), or by step (B,T,K): those of a token for all of its steps."""
        outputs: Tensor = self.head(vectors)
        if not self.target_type.by_step:
            return outputs
        T = batch.values.shape[2]
        return outputs.repeat_interleave(self.encoder.stride or T, dim=1)[:, :T]

    def outputs(self, batch: Batch) -> Float[Tensor, "B ..."]:
        """Return outputs of each series (B,K), or of each step (B,T,K)."""
        return self.outputs_of(self.vectors(batch), batch)

    def after_step(self, progress: float) -> None:
        """Nothing moves."""


def _use_frozen(module: nn.Module) -> None:
    """Switch frozen parts to use: parts without a weight that is trained, and all before them."""
    # In the order of the module; without weights, as dropout is, if nothing before is trained.
    begun = False
    for part in module.children():
        weights = list(part.parameters())
        trained = any(weight.requires_grad for weight in weights)
        if trained:
            _use_frozen(part)
        elif weights or not begun:
            part.eval()
        begun = begun or trained

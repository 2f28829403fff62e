"""A transformer that answers at the places asked for from a memory (DETR, Carion et al., ECCV 2020, 2005.12872)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class EncoderLayer(nn.Module):
    """Self-attention, then two linear layers, each added and normalised after it."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        """(B, N, width) with the embeddings of its places -> the same shape."""
        at = x + places
        x = self.norm1(x + self.dropout(self.self_attn(at, at, x, need_weights=False)[0]))
        return self.norm2(x + self.dropout(self.fc2(self.dropout(F.relu(self.fc1(x))))))


class DecoderLayer(nn.Module):
    """Self-attention, attention to the memory, two linear layers, each added and normalised after it."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.cross_attn = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, queries: Tensor, memory: Tensor, places: Tensor) -> Tensor:
        """x (B, M, width) at places `queries`, memory (B, N, width) at `places` -> (B, M, width)."""
        at = x + queries
        x = self.norm1(x + self.dropout(self.self_attn(at, at, x, need_weights=False)[0]))
        found = self.cross_attn(x + queries, memory + places, memory, need_weights=False)[0]
        x = self.norm2(x + self.dropout(found))
        return self.norm3(x + self.dropout(self.fc2(self.dropout(F.relu(self.fc1(x))))))


class Layers(nn.Module):
    """Layers one behind the other."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)


class Transformer(nn.Module):
    """Encoder over a memory, decoder over places that begin empty; places are added to queries and keys, never to
    values.

    width: of all tokens. heads, hidden, dropout: of each layer. encoder, decoder: layers of each.
    """

    def __init__(self, width: int, heads: int, hidden: int, encoder: int, decoder: int, dropout: float = 0.1) -> None:
        super().__init__()
        settings = (width, heads, hidden, dropout)
        self.encoder = Layers([EncoderLayer(*settings) for _ in range(encoder)])
        self.decoder = Layers([DecoderLayer(*settings) for _ in range(decoder)])
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, memory: Tensor, places: Tensor, queries: Tensor) -> Tensor:
        """memory, places: (B, N, width). queries: (B, M, width), the embeddings of what is asked. Returns (B, M,
        width)."""
        for layer in self.encoder.layers:
            memory = layer(memory, places)
        x = torch.zeros_like(queries)
        for layer in self.decoder.layers:
            x = layer(x, queries, memory, places)
        return x

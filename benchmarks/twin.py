"""The default network in PyTorch, for `training.py`: same layers, loss, optimizer and precision."""

from itertools import pairwise

import torch
from torch import nn

DECODER = 64
BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


class Twin(nn.Module):
    """VGG-16 and five 2x transposed convolutions, with a normalised 3x3 after each sum."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList()
        inputs = 3
        for depth, width in BLOCKS:
            widths = [inputs, *[width] * depth]
            pairs = [
                (nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True))
                for before, after in pairwise(widths)
            ]
            layers = [layer for pair in pairs for layer in pair]
            self.blocks.append(nn.Sequential(*layers, nn.MaxPool2d(2)))
            inputs = width
        self.scores = nn.ModuleList(nn.Conv2d(width, DECODER, 1) for _, width in BLOCKS)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(DECODER, DECODER, 4, 2, 1, bias=False) for _ in BLOCKS[1:]
        )
        self.refines = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(DECODER, DECODER, 3, padding=1, bias=False),
                nn.BatchNorm2d(DECODER),
                nn.ReLU(),
            )
            for _ in BLOCKS[1:]
        )
        self.score = nn.Conv2d(DECODER, 1, 1)
        self.last = nn.ConvTranspose2d(1, 1, 4, 2, 1, bias=False)

    def forward(self, frames):
        """Return the logits, float32, of grey frames, 0 to 255."""
        features = frames.expand(-1, 3, -1, -1) - 110.0
        pools = []
        for block in self.blocks:
            features = block(features)
            pools.append(features)
        x = self.scores[-1](pools[-1])
        finer = zip(self.ups, self.scores[-2::-1], pools[-2::-1], self.refines, strict=True)
        for up, score, pool, refine in finer:
            x = refine(up(x) + score(pool))
        return self.last(self.score(x)).float()


def make_steps(frames, masks, *, frozen_blocks, bfloat16):
    """Return a step of training and one of inference on a batch, (N, H, W, 1) NumPy arrays."""
    model = Twin().to(memory_format=torch.channels_last)
    model.blocks[:frozen_blocks].requires_grad_(False)
    adam = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-4)
    frames, masks = (torch.from_numpy(a.transpose(0, 3, 1, 2).copy()) for a in (frames, masks))
    frames = frames.contiguous(memory_format=torch.channels_last)
    precision = torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16)

    def loss_of(logits):
        probability = torch.sigmoid(logits)
        dice = 1 - (2 * (probability * masks).sum() + 1) / (probability.sum() + masks.sum() + 1)
        return dice + nn.functional.binary_cross_entropy_with_logits(logits, masks)

    def train():
        model.train()
        with precision:
            logits = model(frames)
        adam.zero_grad(set_to_none=True)
        loss_of(logits).backward()
        adam.step()

    def infer():
        model.eval()
        with torch.no_grad(), precision:
            model(frames)

    return {"train": train, "infer": infer}

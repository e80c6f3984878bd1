"""One training pass of a single-path supernet in eager PyTorch, to compare `nas-train bench` with.

usage: pytorch_baseline.py SPACE WIDTH CELLS BATCH THREADS [BENCH.json]       e.g. nasbench201 16 1 64 2 timed.json
SPACE is nasbench201 or macro (whose depth is fixed: CELLS is ignored). Forward, cross-entropy, backward, clipping and
SGD, on random 32 x 32 images; batch normalisation uses the statistics of the batch. The architectures are those of a
line of `nas-train bench --json`, or 40 random ones. Prints the mean of a step, the better of two rounds, in NCHW and in
channels_last, and the peak of resident memory.
needs: pip install torch numpy
"""
import json
import random
import re
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


def norm(channels, affine=False):
    return nn.BatchNorm2d(channels, affine=affine, track_running_stats=False)


def conv(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def relu_conv_norm(inputs, outputs, kernel, stride=1):
    return nn.Sequential(nn.ReLU(), conv(inputs, outputs, kernel, stride), norm(outputs))


class Cell(nn.Module):
    """Four nodes, six edges, each with five operations: none, skip, conv 1x1, conv 3x3, average pool."""

    def __init__(self, channels):
        super().__init__()
        self.edges = nn.ModuleList(
            nn.ModuleList([relu_conv_norm(channels, channels, 1), relu_conv_norm(channels, channels, 3)])
            for _ in range(6))

    def edge(self, number, x, op):
        if op == 1:
            return x
        if op == 4:
            return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        return self.edges[number][op - 2](x)

    def forward(self, x, arch):
        nodes = [x]
        for first, inputs in ((0, 1), (1, 2), (3, 3)):
            terms = [self.edge(first + i, nodes[i], arch[first + i]) for i in range(inputs) if arch[first + i] > 0]
            nodes.append(sum(terms[1:], terms[0]) if terms else torch.zeros_like(x))
        return nodes[3]


class Reduction(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.main = nn.Sequential(relu_conv_norm(channels, 2 * channels, 3, 2),
                                  relu_conv_norm(2 * channels, 2 * channels, 3))
        self.short = conv(channels, 2 * channels, 1)

    def forward(self, x, _):
        # Odd sizes are rounded up, as in the convolution of stride 2.
        odd = (x.shape[2] % 2, x.shape[3] % 2)
        return self.main(x) + self.short(F.avg_pool2d(x, 2, 2, odd, count_include_pad=False))


class NasBench201(nn.Module):
    decisions, choices = 6, 5

    def __init__(self, width, cells):
        super().__init__()
        self.stem = nn.Sequential(conv(3, width, 3), norm(width, True))
        blocks = []
        for stage in range(3):
            blocks += [Reduction(width << (stage - 1))] if stage else []
            blocks += [Cell(width << stage) for _ in range(cells)]
        self.blocks = nn.ModuleList(blocks)
        self.norm, self.classifier = norm(4 * width, True), nn.Linear(4 * width, 10)

    def forward(self, x, arch):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, arch)
        return self.classifier(F.relu(self.norm(x)).mean((2, 3)))


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion, kernel):
        super().__init__()
        hidden = expansion * inputs
        self.residual = stride == 1
        self.body = nn.Sequential(
            conv(inputs, hidden, 1), norm(hidden), nn.ReLU(),
            conv(hidden, hidden, kernel, stride, hidden), norm(hidden), nn.ReLU(),
            conv(hidden, outputs, 1), norm(outputs))

    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)


class Macro(nn.Module):
    decisions, choices = 8, 3

    def __init__(self, width, _):
        super().__init__()
        self.stem = nn.Sequential(conv(3, width, 3), norm(width), nn.ReLU())
        layers, channels = [], width
        for stage in (2, 3, 3):
            for layer in range(stage):
                stride = 2 if layer == 0 else 1
                outputs = stride * channels
                same = nn.Identity() if stride == 1 else nn.Sequential(conv(channels, outputs, 1, 2), norm(outputs))
                layers.append(nn.ModuleList([same, Inverted(channels, outputs, stride, 3, 3),
                                             Inverted(channels, outputs, stride, 6, 5)]))
                channels = outputs
        self.layers = nn.ModuleList(layers)
        self.head = nn.Sequential(conv(channels, 40 * width, 1), norm(40 * width), nn.ReLU())
        self.classifier = nn.Linear(40 * width, 10)

    def forward(self, x, arch):
        x = self.stem(x)
        for layer, choice in zip(self.layers, arch):
            x = layer[choice](x)
        return self.classifier(self.head(x).mean((2, 3)))


OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]


def choices(space, arch):
    if space == "macro":
        return [int(digit) for digit in arch]
    return [OPERATIONS.index(name) for name in re.findall(r"(\w+)~", arch)]


def main():
    space, (width, cells, batch, threads) = sys.argv[1], map(int, sys.argv[2:6])
    kind = {"nasbench201": NasBench201, "macro": Macro}[space]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    random.seed(0)
    if len(sys.argv) > 6:
        with open(sys.argv[6]) as file:
            archs = [choices(space, arch) for arch in json.loads(file.readline())["architectures"]]
    else:
        archs = [[random.randrange(kind.choices) for _ in range(kind.decisions)] for _ in range(40)]
    for layout in (torch.contiguous_format, torch.channels_last):
        net = kind(width, cells).to(memory_format=layout)
        x = torch.randn(batch, 3, 32, 32).contiguous(memory_format=layout)
        y = torch.randint(0, 10, (batch,))
        optimizer = torch.optim.SGD(net.parameters(), 0.025, momentum=0.9, weight_decay=5e-4, nesterov=True)

        def step(arch):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(net(x, arch), y).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5)
            optimizer.step()

        for arch in archs[:5]:
            step(arch)
        best = float("inf")
        for _ in range(2):
            start = time.perf_counter()
            for arch in archs:
                step(arch)
            best = min(best, (time.perf_counter() - start) / len(archs))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{space} {width},{cells},{batch} threads {threads} {layout}: {best * 1e3:.2f} ms/step, peak {memory:.0f} MiB")


main()

"""One training pass of a single-path supernet in eager PyTorch, to compare `nas-train bench` with.

usage: pytorch_baseline.py SPACE WIDTH CELLS BATCH THREADS|cuda [BENCH.json]  e.g. nasbench201 16 1 64 2 timed.json
SPACE is nasbench201, macro (whose depth is fixed: CELLS is ignored) or darts. Forward, cross-entropy, backward, clipping and
SGD, on random 32 x 32 images; batch normalisation uses the statistics of the batch. The architectures are those of a
line of `nas-train bench --json`, or 40 random ones. Prints the mean of a step, the better of two rounds, in NCHW and in
channels_last, and the peak of resident memory. With `cuda`, it runs on the first GPU without TF32 and prints the peak of
memory there.
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


class FactorisedReduction(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.even = conv(inputs, outputs // 2, 1, 2)
        self.odd = conv(inputs, outputs - outputs // 2, 1, 2)
        self.norm = norm(outputs)

    def forward(self, x):
        x = F.relu(x)
        return self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], 1))


def separable(channels, kernel, stride, dilation=1):
    depthwise = nn.Conv2d(channels, channels, kernel, stride, kernel // 2 * dilation, dilation, channels, bias=False)
    return nn.Sequential(nn.ReLU(), depthwise, conv(channels, channels, 1), norm(channels))


def darts_operation(name, channels, stride):
    kind, size = name.rsplit("_", 1)
    kernel = int(size[0]) if size[0].isdigit() else 1
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorisedReduction(channels, channels)
    if kind == "max_pool":
        return nn.Sequential(nn.MaxPool2d(3, stride, 1), norm(channels))
    if kind == "avg_pool":
        return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm(channels))
    if kind == "dil_conv":
        return separable(channels, kernel, stride, 2)
    return nn.Sequential(separable(channels, kernel, stride), separable(channels, kernel, 1))


class DartsCell(nn.Module):
    """Two inputs and four nodes of two edges each; every edge has seven operations."""

    def __init__(self, before, last, channels, reduction, after_reduction):
        super().__init__()
        adapt = FactorisedReduction if after_reduction else (lambda a, b: relu_conv_norm(a, b, 1))
        self.inputs = nn.ModuleList([adapt(before, channels), relu_conv_norm(last, channels, 1)])
        stride = lambda source: 2 if reduction and source < 2 else 1
        self.edges = nn.ModuleDict({
            f"{node}_{source}_{name}": darts_operation(name, channels, stride(source))
            for node in range(2, 6) for source in range(node) for name in DARTS_OPERATIONS})

    def forward(self, before, last, cell):
        nodes = [self.inputs[0](before), self.inputs[1](last)]
        for node in range(2, 6):
            edges = cell[2 * (node - 2):2 * (node - 1)]
            nodes.append(sum(self.edges[f"{node}_{source}_{name}"](nodes[source]) for name, source in edges))
        return torch.cat(nodes[2:], 1)


class Darts(nn.Module):
    def __init__(self, width, cells):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 3 * width, 3), norm(3 * width))
        self.reductions = [cells // 3, 2 * cells // 3]
        before = last = 3 * width
        blocks, channels = [], width
        for cell in range(cells):
            channels *= 2 if cell in self.reductions else 1
            blocks.append(DartsCell(before, last, channels, cell in self.reductions, cell - 1 in self.reductions))
            before, last = last, 4 * channels
        self.blocks, self.classifier = nn.ModuleList(blocks), nn.Linear(last, 10)

    def forward(self, x, arch):
        before = last = self.stem(x)
        for number, block in enumerate(self.blocks):
            before, last = last, block(before, last, arch[number in self.reductions])
        return self.classifier(last.mean((2, 3)))

    @staticmethod
    def random():
        edge = lambda source: (random.choice(DARTS_OPERATIONS), source)
        cell = lambda: [edge(source) for node in range(2, 6) for source in random.sample(range(node), 2)]
        return [cell(), cell()]


DARTS_OPERATIONS = ["max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3",
                    "dil_conv_5x5"]
OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]


def choices(space, arch):
    if space == "macro":
        return [int(digit) for digit in arch]
    if space == "darts":
        edges = [(name, int(source)) for name, source in re.findall(r"'(\w+)', (\d+)", arch)]
        return [edges[:8], edges[8:]]
    return [OPERATIONS.index(name) for name in re.findall(r"(\w+)~", arch)]


def main():
    space, (width, cells, batch), threads = sys.argv[1], map(int, sys.argv[2:5]), sys.argv[5]
    on_gpu = threads == "cuda"
    device = torch.device("cuda" if on_gpu else "cpu")
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    kind = {"nasbench201": NasBench201, "macro": Macro, "darts": Darts}[space]
    if on_gpu:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    else:
        torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    random.seed(0)
    if len(sys.argv) > 6:
        with open(sys.argv[6]) as file:
            archs = [choices(space, arch) for arch in json.loads(file.readline())["architectures"]]
    else:
        draw = getattr(kind, "random", lambda: [random.randrange(kind.choices) for _ in range(kind.decisions)])
        archs = [draw() for _ in range(40)]
    for layout in (torch.contiguous_format, torch.channels_last):
        net = kind(width, cells).to(device, memory_format=layout)
        x = torch.randn(batch, 3, 32, 32, device=device).contiguous(memory_format=layout)
        y = torch.randint(0, 10, (batch,), device=device)
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
            wait()
            start = time.perf_counter()
            for arch in archs:
                step(arch)
            wait()
            best = min(best, (time.perf_counter() - start) / len(archs))
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        memory = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else resident
        print(f"{space} {width},{cells},{batch} threads {threads} {layout}: {best * 1e3:.2f} ms/step, peak {memory:.0f} MiB")


main()

"""Recomputes the probe accuracies of a run in PyTorch, from its weights.safetensors.

usage: pytorch_weights.py RUN            requires: pip install torch safetensors numpy

RUN is a run directory of `nas-train` on digits or cifar10 (binary version) in the space nasbench201 or macro, with
`--bn batch` and one weight set. The script builds each architecture from the tensors of the file alone, evaluates it on
the images that the metadata of the file name, and compares the accuracy with the last probe rows of archs.csv. It exits
with status 1 if an accuracy differs by more than 0.1 points.
"""

import csv, gzip, io, json, pathlib, sys, tarfile, tomllib
import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open

EPS = 1e-5  # of batch normalisation, as in PyTorch


def text(run, name):
    """The text of a file of a run, which may be packed."""
    if (run / name).exists():
        return (run / name).read_text()
    with tarfile.open(run / "record.tar") as archive:
        return archive.extractfile(name).read().decode()


def images(config):
    """All images of the data set, [n, c, h, w] in pixel values, and their labels, in the order of the files."""
    if config["name"] == "digits":
        path = pathlib.Path(__file__).parent.parent / "core/data/digits.csv.gz"
        rows = np.loadtxt(io.TextIOWrapper(gzip.open(path)), delimiter=",", dtype=np.uint8)
        return rows[:, :64].reshape(-1, 1, 8, 8), rows[:, 64]
    folder = pathlib.Path(config["dir"])
    folder = next(f for f in [folder, folder / "cifar-10-batches-bin"] if (f / "data_batch_1.bin").exists())
    rows = [np.fromfile(folder / f"data_batch_{k}.bin", np.uint8).reshape(-1, 3073) for k in range(1, 6)]
    rows = np.concatenate(rows)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]


class Network:
    """The operations of a supernet on the tensors of its file."""

    def __init__(self, tensors):
        self.tensors = tensors

    def conv(self, name, x, stride=1, relu=False, norm=True):
        """ReLU, convolution with padding k / 2, batch normalisation with the statistics of the batch."""
        weight = self.tensors[name + ".weight"]
        x = F.relu(x) if relu else x
        groups = x.shape[1] // weight.shape[1]
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2, groups=groups)
        return self.norm(x) if norm else x

    def norm(self, x):
        return F.batch_norm(x, None, None, training=True, eps=EPS)

    def classify(self, x):
        x = F.relu(x).mean(dim=(2, 3))
        return F.linear(x, self.tensors["classifier.weight"], self.tensors["classifier.bias"])


def nasbench201(net, arch, cells, x):
    nodes = [[edge.split("~") for edge in node.strip("|").split("|")] for node in arch.split("+")]
    x = net.conv("stem", x)
    for stage in range(3):
        if stage > 0:
            name = f"stage{stage}.residual"
            y = net.conv(f"{name}.conv_b", net.conv(f"{name}.conv_a", x, 2, relu=True), relu=True)
            pad = (x.shape[2] % 2, x.shape[3] % 2)
            pooled = F.avg_pool2d(x, 2, 2, padding=pad, count_include_pad=False)
            x = y + net.conv(f"{name}.shortcut", pooled, norm=False)
        for cell in range(cells):
            values = [x]
            for target, edges in enumerate(nodes, 1):
                total = torch.zeros_like(x)
                for op, source in edges:
                    value = values[int(source)]
                    if op == "skip_connect":
                        total = total + value
                    elif op == "avg_pool_3x3":
                        total = total + F.avg_pool2d(value, 3, 1, 1, count_include_pad=False)
                    elif op != "none":
                        name = f"stage{stage}.cell{cell}.edge{target}{source}.{op}"
                        total = total + net.conv(name, value, relu=True)
                values.append(total)
            x = values[3]
    return net.classify(net.norm(x))


def macro(net, arch, _, x):
    x = net.conv("stem", x)
    digits = iter(enumerate(arch))
    for stage, layers in enumerate([2, 3, 3]):
        for layer in range(layers):
            number, digit = next(digits)
            stride, relu = (2 if layer == 0 else 1), number == 0
            name = f"stage{stage}.layer{layer}." + ["id", "ir_3x3_t3", "ir_5x5_t6"][int(digit)]
            if digit == "0":
                x = net.conv(name, x, stride, relu=relu) if layer == 0 else x
                continue
            y = net.conv(f"{name}.expand", x, relu=relu)
            y = net.conv(f"{name}.depthwise", y, stride, relu=True)
            y = net.conv(f"{name}.project", y, relu=True)
            x = x + y if stride == 1 else y
    return net.classify(net.conv("head", x))


def probes(run):
    """The probe architectures and their accuracies in percent after the last epoch."""
    rows = [row for row in csv.DictReader(io.StringIO(text(run, "archs.csv"))) if row["purpose"] == "probe"]
    return [(row["arch"], float(row["accuracy"])) for row in rows if row["epoch"] == rows[-1]["epoch"]]


def main(run):
    config = tomllib.loads(text(run, "config.toml"))
    with safe_open(run / "weights.safetensors", "pt") as file:
        about = json.loads(file.metadata()["nas_train"])
        net = Network({name: file.get_tensor(name) for name in file.keys()})
    wire = {"nasbench201": nasbench201, "macro": macro}[about["space"]]
    inputs = about["eval"]
    pixels, labels = images(config["data"])
    channel = lambda values: torch.tensor(values).view(1, -1, 1, 1)
    positions = np.array(inputs["positions"])
    worst = 0.0
    for arch, expected in probes(run):
        correct = 0
        for chosen in np.array_split(positions, -(-len(positions) // inputs["batch_size"])):
            x = (torch.tensor(pixels[chosen]).float() - channel(inputs["mean"])) / channel(inputs["std"])
            with torch.no_grad():
                scores = wire(net, arch, about["cells"], x)
            correct += (scores.argmax(1).numpy() == labels[chosen]).sum()
        accuracy = 100 * correct / len(positions)
        worst = max(worst, abs(accuracy - expected))
        print(f"{arch}  nas-train {expected:.2f} %  PyTorch {accuracy:.2f} %")
    print(f"largest difference: {worst:.3f} points")
    return worst > 0.1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))

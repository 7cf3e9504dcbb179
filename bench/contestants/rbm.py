"""PyTorch's epoch of CD-1 on MNIST, the same as bench/rbm.mjs: python3 rbm.py THREADS EPOCHS FOLDER."""
import gzip
import json
import os
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
torch.set_grad_enabled(False)


def images():
    path = os.path.join(sys.argv[3], "mnist", "train-images-idx3-ubyte")
    raw = open(path, "rb").read() if os.path.exists(path) else gzip.open(path + ".gz").read()
    return torch.frombuffer(bytearray(raw[16:]), dtype=torch.uint8).reshape(60000, 784).float().div_(255)


x = images()
W = torch.randn(500, 784).mul_(0.01)
b, c = torch.zeros(784), torch.zeros(500)
moving = [torch.zeros_like(t) for t in (W, b, c)]
lines = []
for epoch in range(int(sys.argv[2])):
    error = 0.0
    start = time.perf_counter()
    order = torch.randperm(60000)
    for at in range(0, 60000, 100):
        v = x[order[at : at + 100]]
        h = torch.sigmoid(torch.addmm(c, v, W.t()))
        means = torch.sigmoid(torch.addmm(b, torch.bernoulli(h), W))
        v1 = torch.bernoulli(means)
        h1 = torch.sigmoid(torch.addmm(c, v1, W.t()))
        gradients = [
            (h1.t() @ v1).sub_(h.t() @ v).div_(100).add_(W, alpha=2e-4),
            (v1 - v).mean(0),
            (h1 - h).mean(0),
        ]
        for p, m, g in zip((W, b, c), moving, gradients):
            m.mul_(0.5).add_(g)
            p.sub_(m, alpha=0.1)
        error += (means - v).square().mean().item()
    lines.append({"seconds": time.perf_counter() - start, "error": error / 600})
print(json.dumps(lines))

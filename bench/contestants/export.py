"""A torchvision network with random weights as an ONNX file: python3 export.py NAME BATCH FILE."""
import os
import sys

import torch
import torchvision

name, batch, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
torch.manual_seed(0)
model = getattr(torchvision.models, name)().eval()
torch.onnx.export(model, torch.randn(batch, 3, 224, 224), f"{file}.new", opset_version=13)
os.rename(f"{file}.new", file)

"""PyTorch in the benchmark: python3 pytorch.py THREADS, the same models and protocol as serve.mjs and hebb.mjs."""
import json
import sys
import time

imported = time.perf_counter()
import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)


def matmul(n):
    a, b = torch.randn(n, n), torch.randn(n, n)
    return lambda: a @ b


def attention(backward):
    q, k, v = (torch.randn(2, 6, 1024, 64, requires_grad=backward) for _ in range(3))

    def step():
        y = (q * 0.125 @ k.transpose(-1, -2)).softmax(-1) @ v
        if backward:
            torch.autograd.grad(y.square().sum(), (q, k, v))

    return step


def convolution(backward):
    x, w = torch.randn(32, 64, 32, 32, requires_grad=backward), torch.randn(64, 64, 3, 3, requires_grad=backward)

    def step():
        y = F.conv2d(x, w, padding=1)
        if backward:
            x.grad = w.grad = None
            y.square().sum().backward()

    return step


def unary(shape, f):
    x = torch.randn(*shape)
    return lambda: f(x)


def train(model, optimizer, x, y, loss):
    opt = optimizer(model.parameters())

    def step():
        opt.zero_grad()
        error = loss(model(x), y)
        error.backward()
        opt.step()
        return error.item()

    return step


def momentum(parameters):
    return torch.optim.SGD(parameters, 0.01, 0.9)


def digits():
    return torch.randint(0, 10, (64,))


def mlp():
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    return train(model, torch.optim.Adam, torch.randn(64, 784), digits(), F.cross_entropy)


def lenet():
    features = [nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)]
    classifier = [nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)]
    return train(nn.Sequential(*features, *classifier), momentum, torch.randn(64, 1, 28, 28), digits(), F.cross_entropy)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        shortcut = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        self.downsample = nn.Identity() if inputs == outputs else nn.Sequential(*shortcut)

    def forward(self, x):
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(h + self.downsample(x))


class GlobalMean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def resnet20():
    blocks = [Block(i, o, s) for o in (16, 32, 64) for i, s in ((max(16, o // 2), 1 if o == 16 else 2), (o, 1), (o, 1))]
    stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    model = nn.Sequential(*stem, *blocks, GlobalMean(), nn.Linear(64, 10))
    return train(model, momentum, torch.randn(64, 3, 32, 32), digits(), F.cross_entropy)


class CharModel(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.embedding = nn.Embedding(65, 128)
        self.recurrent = kind(128, 256)
        self.output = nn.Linear(256, 65)

    def forward(self, ids):  # [T, B] → [T, B, 65]
        return self.output(self.recurrent(self.embedding(ids))[0])


def characters(kind):
    ids = torch.randint(0, 65, (64, 32))
    flat = lambda logits, target: F.cross_entropy(logits.reshape(-1, 65), target.reshape(-1))
    return train(CharModel(kind), torch.optim.Adam, ids, ids, flat)


def tiny():
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    return train(model, torch.optim.Adam, torch.randn(32, 2), torch.randn(32, 1), F.mse_loss)


def deep():
    model = nn.Sequential(*[part for _ in range(100) for part in (nn.Linear(64, 64), nn.Tanh())])
    return train(model, torch.optim.Adam, torch.randn(32, 64), torch.randn(32, 64), F.mse_loss)


def network(name):
    import torchvision

    return getattr(torchvision.models, name)()


def photographs(batch):
    return torch.randn(batch, 3, 224, 224)


def train_network(name):
    return train(network(name), momentum, photographs(8), torch.randint(0, 1000, (8,)), F.cross_entropy)


def infer(name, batch):
    model, x = network(name).eval(), photographs(batch)

    def step():
        with torch.inference_mode():
            model(x)

    return step


class Gpt(nn.Module):
    def __init__(self, characters=65, width=384, context=256):
        super().__init__()
        self.embedding, self.places = nn.Embedding(characters, width), nn.Parameter(0.02 * torch.randn(context, width))
        layer = lambda: nn.TransformerEncoderLayer(width, 6, 4 * width, 0.0, F.gelu, batch_first=True, norm_first=True)
        self.layers = nn.ModuleList(layer() for _ in range(6))
        self.norm, self.output = nn.LayerNorm(width), nn.Linear(width, characters)
        self.mask = torch.triu(torch.full((context, context), float("-inf")), 1)

    def forward(self, ids):
        x = self.embedding(ids) + self.places
        for layer in self.layers:
            x = layer(x, self.mask)
        return self.output(self.norm(x))


def gpt():
    ids = torch.randint(0, 65, (8, 256))
    flat = lambda logits, target: F.cross_entropy(logits.reshape(-1, 65), target.reshape(-1))
    return train(Gpt(), torch.optim.Adam, ids, ids, flat)


cases = {
    "resnet18": lambda: train_network("resnet18"),
    "resnet50": lambda: train_network("resnet50"),
    "gpt": gpt,
    "inferResnet18One": lambda: infer("resnet18", 1),
    "inferResnet50One": lambda: infer("resnet50", 1),
    "inferResnet50Eight": lambda: infer("resnet50", 8),
    "inferVgg16One": lambda: infer("vgg16", 1),
    "makeResnet50": lambda: lambda: network("resnet50"),
    "matmul256": lambda: matmul(256),
    "matmul512": lambda: matmul(512),
    "matmul1024": lambda: matmul(1024),
    "convForward": lambda: convolution(False),
    "convBackward": lambda: convolution(True),
    "expTanh": lambda: unary((1 << 20,), lambda x: x.exp().tanh()),
    "softmax": lambda: unary((4096, 1000), lambda x: x.softmax(-1)),
    "attentionForward": lambda: attention(False),
    "attentionBackward": lambda: attention(True),
    "mlp": mlp,
    "lenet": lenet,
    "resnet20": resnet20,
    "charRnn": lambda: characters(nn.RNN),
    "charLstm": lambda: characters(nn.LSTM),
    "charGru": lambda: characters(nn.GRU),
    "tiny": tiny,
    "deep": deep,
}


def say(answer):
    print(json.dumps(answer), flush=True)


def run(step, count):
    start = time.perf_counter()
    for _ in range(count):
        step()
    return 1e3 * (time.perf_counter() - start)


def sample(current, seconds, warmup):
    step = current["step"]
    if "count" not in current:
        spent, steps = 0.0, 0
        while spent < 1e3 * warmup or steps < 2:
            spent, steps = spent + run(step, 1), steps + 1
        current["count"] = max(1, round(2 * steps / spent))
    count, times, end = current["count"], [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        times.append(run(step, count) / count)
    return times


def residence(step, steps):
    resident = []
    for i in range(1, steps + 1):
        step()
        if i % max(1, steps // 100) == 0:
            with open("/proc/self/statm") as status:
                resident.append(4096 * int(status.read().split()[1]))
    return resident


def option(name):
    return sys.argv[sys.argv.index(name) + 1]


if "--first" in sys.argv:
    step = cases[option("--first")]()
    start = imported if option("--from") == "import" else time.perf_counter()
    step()
    say({"times": [1e3 * (time.perf_counter() - start)]})
    sys.exit()

say({"ready": torch.__version__})
current = {}
for line in sys.stdin:
    request = json.loads(line)
    try:
        if current.get("name") != request["name"]:
            current = {"name": request["name"], "step": cases[request["name"]]()}
        if "steps" in request:
            say({"resident": residence(current["step"], request["steps"])})
        else:
            say({"times": sample(current, request["seconds"], request["warmup"])})
    except Exception as error:
        current = {}
        say({"error": str(error).split("\n")[0]})

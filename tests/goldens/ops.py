"""Reference values and gradients of every operation, by PyTorch in float64.

Run:  python3 tests/goldens/ops.py        (needs torch 2.x and numpy; the tests need neither)

Reads tests/goldens/op-cases.jsonl, one case a line, and writes tests/goldens/data/ops.jsonl with the results of that case
on the same line: {"case": <the line>, "s": [shape of each result], "y": [values of each], "g": [gradient of each operand,
or null]}. Running it again gives the same bytes.

A case names a primitive ("op", with its params), a method of Tensor (operand 0 is the receiver; "$1" in args is operand
1) or a function. Operands are written "dtype[shape] kind"; their values follow from the line's text by the rule in
`values`, which tests/graph/op-cases.ts repeats. The gradient that arrives at the first result has the operand name "dy".
"""

import json
import math
import pathlib
import re

import numpy as np
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
DTYPES = {
    "float32": torch.float64,
    # Values of float16 operands are chosen to be exact in it; the reference itself works in float64.
    "float16": torch.float64,
    "int32": torch.int32,
    "int64": torch.int64,
    "bool": torch.bool,
    "uint8": torch.uint8,
}


# --- operands ---------------------------------------------------------------------------------------------------------


def seed_of(text):
    """FNV-1a, 32 bits."""
    h = 0x811C9DC5
    for byte in text.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def uniform(seed, i):
    """The i-th number in [0, 1) of a stream: MurmurHash3's finaliser of a counter."""
    h = (seed + i * 0x9E3779B9) & 0xFFFFFFFF
    h ^= h >> 16
    h = (h * 0x85EBCA6B) & 0xFFFFFFFF
    h ^= h >> 13
    h = (h * 0xC2B2AE35) & 0xFFFFFFFF
    h ^= h >> 16
    return h / 2**32


def values(spec, seed):
    """dtype, shape and numbers of an operand such as "float32[2,3] positive"."""
    dtype, dims, kind = re.fullmatch(r"(\w+)\[([\d,]*)\] ?(.*)", spec).groups()
    shape = [int(d) for d in dims.split(",")] if dims else []
    name, _, rest = kind.partition(" ")
    if name == "values":
        given = [float(v) for v in rest.split(",")]
        return dtype, shape or ([] if len(given) == 1 else [len(given)]), given
    # Ten bits are exact in float16, twenty in float32.
    steps = 2**10 if dtype == "float16" else 2**20
    out = []
    for i in range(math.prod(shape)):
        u = uniform(seed, i)
        v = math.floor(u * steps) / steps
        if name == "below":
            out.append(math.floor(u * int(rest)))
        elif name == "few":
            out.append(math.floor(u * 5) - 2)
        elif name == "nonzero":
            out.append(math.floor(u * 10) - 5 if u < 0.5 else math.floor(u * 10) - 4)
        elif dtype == "bool":
            out.append(1 if u < 0.5 else 0)
        elif dtype.startswith("int"):
            out.append(math.floor(u * 11) - 5)
        else:
            out.append(v * 2 + 0.5 if name == "positive" else v * 4 - 2)
    return dtype, shape, out


def operand(spec, seed):
    dtype, shape, numbers = values(spec, seed)
    array = np.array(numbers, dtype=np.float64)
    if dtype == "float32":
        array = array.astype(np.float32).astype(np.float64)
    if dtype == "float16":
        array = array.astype(np.float16).astype(np.float64)
    if dtype.startswith("int"):
        array = np.trunc(array)
    x = torch.tensor(array.reshape(shape)).to(DTYPES[dtype])
    return dtype, x.requires_grad_() if dtype.startswith("float") else x


# --- primitives: (operands, params) -> result or list of results --------------------------------------------------------


def extreme(reduce):
    return lambda x, p: reduce(x[0], dim=p["axes"], keepdim=p["keepDims"])


def product(x, axes, keep):
    for a in sorted(axes, reverse=True):
        x = torch.prod(x, dim=a, keepdim=keep)
    return x


def first_index(find):
    def rule(x, p):
        a = find(x[0].detach().numpy(), axis=p["axis"], keepdims=p["keepDims"])
        return torch.tensor(np.asarray(a), dtype=torch.int32)

    return rule


def running_sum(x, axis, exclusive, reverse):
    flipped = torch.flip(x, [axis]) if reverse else x
    out = torch.cumsum(flipped, axis, dtype=x.dtype)
    if exclusive:
        out = out - flipped
    return torch.flip(out, [axis]) if reverse else out


def top(x, axis, k, largest):
    # A stable sort keeps the first of equal entries first, as ONNX does.
    v, i = torch.sort(x, dim=axis, descending=largest, stable=True)
    return [v.narrow(axis, 0, k), i.narrow(axis, 0, k).to(torch.int32)]


def swap(x, yes):
    return x.transpose(-1, -2) if yes else x


CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_T = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def conv(x, p):
    a, w = x
    n = a.dim() - 2
    pads = [v for i in reversed(range(n)) for v in (p["pads"][i], p["pads"][i + n])]
    return CONV[n](F.pad(a, pads), w, None, p["strides"], 0, p["dilations"], p["group"])


def conv_transpose(x, p):
    a, w = x
    n = a.dim() - 2
    y = CONV_T[n](a, w, None, p["strides"], 0, 0, p["group"], p["dilations"])
    for i in range(n):
        pad = [0] * (2 * n)
        pad[2 * (n - 1 - i) + 1] = p["outputPadding"][i]
        y = F.pad(y, pad)
        y = y.narrow(i + 2, p["pads"][i], y.shape[i + 2] - p["pads"][i] - p["pads"][i + n])
    return y


def cut(x, starts, ends, steps):
    if x.numel() == 0:
        return x.new_zeros([len(range(*r)) for r in zip(starts, ends, steps)])
    for axis, (s, e, step) in enumerate(zip(starts, ends, steps)):
        x = x.index_select(axis, torch.tensor(list(range(s, e, step)), dtype=torch.int64))
    return x


def widen(x, before, after, value):
    pads = [v for b, a in reversed(list(zip(before, after))) for v in (b, a)]
    if not pads:
        return x.clone()
    return F.pad(x.int(), pads, value=int(value)).bool() if x.dtype == torch.bool else F.pad(x, pads, value=value)


def rows(x, i, axis):
    out = x.index_select(axis, i.reshape(-1).long())
    return out.reshape(list(x.shape[:axis]) + list(i.shape) + list(x.shape[axis + 1 :]))


def add_rows(x, i, u, axis):
    n = i.numel()
    u = u.reshape(list(x.shape[:axis]) + [n] + list(x.shape[axis + 1 :]))
    return x.index_add(axis, i.reshape(-1).long(), u)


def pick_elements(x, i, axis):
    """numpy's rule: axes that the indices do not cover are cut."""
    return torch.gather(x, axis, i.long())


def scatter(x, i, u, axis, reduction):
    return x.scatter_add(axis, i.long(), u) if reduction == "add" else x.scatter(axis, i.long(), u)


def rms(x, p):
    return x[0] / torch.sqrt((x[0] ** 2).mean(-1, keepdim=True) + p["epsilon"]) * x[1]


def rotary(x, p):
    """Half-split; the tables count as constants."""
    a, cos, sin = x[0], x[1].detach(), x[2].detach()
    if cos.dim() == 3:
        cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    half = a.shape[-1] // 2
    left, right = a[..., :half], a[..., half:]
    return torch.cat([left * cos - right * sin, right * cos + left * sin], -1)


NF4 = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
]


def nf4_product(x, p):
    """bitsandbytes' layout: the first of two codes in the high half of a byte. Codes and scales count as constants."""
    a, codes, scales = x[0], x[1], x[2].detach()
    pairs = torch.stack([codes >> 4, codes & 15], -1)
    table = torch.tensor(np.array(NF4, dtype=np.float32).astype(np.float64))
    w = (table[pairs.long()].reshape(len(scales), -1) * scales[:, None]).reshape(codes.shape[0], -1)
    return torch.matmul(a, swap(w, p["transB"]))


def quotient(a, b):
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def cast(x, dtype):
    if x.is_floating_point() and dtype.startswith("int"):
        return torch.trunc(x).to(DTYPES[dtype])
    return x.to(DTYPES[dtype])


def unary(f):
    return lambda x, p: f(x[0])


def binary(f):
    return lambda x, p: f(x[0], x[1])


PRIMITIVES = {
    **{n: unary(getattr(torch, n)) for n in "neg abs sign exp log sqrt reciprocal erf tanh sigmoid sin cos floor ceil round".split()},
    "not": unary(torch.logical_not),
    "isNaN": unary(torch.isnan),
    "isInf": unary(torch.isinf),
    "cast": lambda x, p: cast(x[0], p["dtype"]),
    "add": binary(torch.add),
    "sub": binary(torch.sub),
    "mul": binary(torch.mul),
    "div": binary(quotient),
    "pow": binary(torch.pow),
    "max": binary(torch.maximum),
    "min": binary(torch.minimum),
    "mod": binary(torch.remainder),
    "equal": binary(torch.eq),
    "less": binary(torch.lt),
    "lessOrEqual": binary(torch.le),
    "and": binary(torch.logical_and),
    "or": binary(torch.logical_or),
    "where": lambda x, p: torch.where(x[0], x[1], x[2]),
    "reduceSum": lambda x, p: torch.sum(x[0], dim=p["axes"], keepdim=p["keepDims"], dtype=x[0].dtype),
    "reduceMean": lambda x, p: torch.mean(x[0], dim=p["axes"], keepdim=p["keepDims"]),
    # amax and amin share the gradient among ties.
    "reduceMax": extreme(torch.amax),
    "reduceMin": extreme(torch.amin),
    "reduceProd": lambda x, p: product(x[0], p["axes"], p["keepDims"]).to(x[0].dtype),
    "argMax": first_index(np.argmax),
    "argMin": first_index(np.argmin),
    "cumSum": lambda x, p: running_sum(x[0], p["axis"], p["exclusive"], p["reverse"]),
    "softmax": lambda x, p: torch.softmax(x[0], p["axis"]),
    "logSoftmax": lambda x, p: torch.log_softmax(x[0], p["axis"]),
    "topK": lambda x, p: top(x[0], p["axis"], p["k"], p["largest"]),
    "matMul": lambda x, p: torch.matmul(swap(x[0], p["transA"]), swap(x[1], p["transB"])),
    "conv": conv,
    "convTranspose": conv_transpose,
    "transpose": lambda x, p: x[0].permute(p["perm"]),
    "reshape": lambda x, p: x[0].reshape(p["shape"]),
    "expand": lambda x, p: x[0].expand(p["shape"]),
    "slice": lambda x, p: cut(x[0], p["starts"], p["ends"], p["steps"]),
    "concat": lambda x, p: torch.cat(x, p["axis"]),
    "pad": lambda x, p: widen(x[0], p["before"], p["after"], p["value"]),
    "gather": lambda x, p: rows(x[0], x[1], p["axis"]),
    "scatterAdd": lambda x, p: add_rows(x[0], x[1], x[2], p["axis"]),
    "gatherElements": lambda x, p: pick_elements(x[0], x[1], p["axis"]),
    "scatterElements": lambda x, p: scatter(x[0], x[1], x[2], p["axis"], p["reduction"]),
    "rmsNormalization": rms,
    "rotaryEmbedding": rotary,
    "matMulNf4": nf4_product,
    "stopGradient": lambda x, p: x[0].detach(),
    "barrier": lambda x, p: x[0],
}


# --- methods of Tensor: (receiver, *args) -> result or list of results ---------------------------------------------------


def num(a, like):
    """A number becomes a tensor of the other operand's type, so that no type is promoted."""
    return a if isinstance(a, torch.Tensor) else torch.tensor(a, dtype=like.dtype)


def axes_of(x, axes):
    return list(range(x.dim())) if axes is None else [axes] if isinstance(axes, int) else list(axes)


def reduction(f):
    def rule(x, axes=None, keep=False):
        return f(x, axes_of(x, axes), keep) if x.dim() else x.clone()

    return rule


def method_arg(kind):
    def rule(x, axis, keep=False):
        return PRIMITIVES[kind]([x], {"axis": axis, "keepDims": keep})

    return rule


def ranged(x, *ranges):
    drop = []
    for axis, r in enumerate(ranges):
        n = x.shape[axis]
        if isinstance(r, int):
            picked = [range(n)[r]]
            drop.append(axis)
        else:
            s, e, step = (list(r) + [None])[:3] if r is not None else (None, None, None)
            picked = list(range(n))[slice(s, e, step)]
        x = x.index_select(axis, torch.tensor(picked, dtype=torch.int64))
    for axis in reversed(drop):
        x = x.squeeze(axis)
    return x


def with_options(op, defaults):
    """conv and convTranspose as methods: missing options get their defaults."""

    def rule(x, w, options=None):
        n = x.dim() - 2
        p = {"strides": [1] * n, "pads": [0] * 2 * n, "dilations": [1] * n, "group": 1, **defaults(n), **(options or {})}
        return op([x, w], p)

    return rule


def comparison(f):
    return lambda a, b: f(a, num(b, a))


METHODS = {
    **{n: (lambda f: lambda x: f([x], {}))(PRIMITIVES[n]) for n in
       "neg abs sign exp log sqrt reciprocal erf tanh sigmoid sin cos floor ceil round not isNaN isInf".split()},
    "cast": cast,
    "rsqrt": torch.rsqrt,
    "square": torch.square,
    "relu": torch.relu,
    "silu": F.silu,
    "gelu": lambda x, approximate=False: F.gelu(x, approximate="tanh" if approximate else "none"),
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "logSigmoid": F.logsigmoid,
    "add": comparison(torch.add),
    "sub": comparison(torch.sub),
    "mul": comparison(torch.mul),
    "div": comparison(quotient),
    "pow": comparison(torch.pow),
    "maximum": comparison(torch.maximum),
    "minimum": comparison(torch.minimum),
    "mod": comparison(torch.remainder),
    "equal": comparison(torch.eq),
    "notEqual": comparison(torch.ne),
    "less": comparison(torch.lt),
    "lessOrEqual": comparison(torch.le),
    "greater": comparison(torch.gt),
    "greaterOrEqual": comparison(torch.ge),
    "and": torch.logical_and,
    "or": torch.logical_or,
    "clip": lambda x, low, high: torch.minimum(torch.maximum(x, num(low, x)), num(high, x)),
    "sum": reduction(lambda x, a, k: torch.sum(x, a, k)),
    "mean": reduction(lambda x, a, k: torch.mean(x, a, k)),
    "max": reduction(torch.amax),
    "min": reduction(torch.amin),
    "prod": reduction(lambda x, a, k: product(x, [i % x.dim() for i in a], k)),
    "variance": lambda x, axes=None, keep=False, correction=0: torch.var(
        x, axes_of(x, axes), correction=correction, keepdim=keep
    ),
    "argMax": method_arg("argMax"),
    "argMin": method_arg("argMin"),
    "logSumExp": lambda x, axis, keep=False: torch.logsumexp(x, axis, keep),
    "cumSum": lambda x, axis, o={}: running_sum(x, axis, o.get("exclusive", False), o.get("reverse", False)),
    "softmax": lambda x, axis=-1: torch.softmax(x, axis),
    "logSoftmax": lambda x, axis=-1: torch.log_softmax(x, axis),
    "topK": lambda x, k, o={}: top(x, o.get("axis", -1), k, o.get("largest", True)),
    "matMul": lambda a, b, o={}: torch.matmul(swap(a, o.get("transA")), swap(b, o.get("transB"))),
    "conv": with_options(conv, lambda n: {}),
    "convTranspose": with_options(conv_transpose, lambda n: {"outputPadding": [0] * n}),
    "transpose": lambda x, perm=None: x.permute(perm if perm else list(reversed(range(x.dim())))),
    "reshape": lambda x, shape: x.reshape(shape),
    "flatten": lambda x: x.reshape(-1),
    "unsqueeze": lambda x, axis: x.unsqueeze(axis),
    "squeeze": lambda x, axis: x.squeeze(axis),
    "expand": lambda x, shape: x.expand(shape),
    "slice": ranged,
    "flip": lambda x, axis: x.flip(axis),
    "split": lambda x, sizes, axis: list(x.split(sizes, axis)),
    "pad": lambda x, before, after, value=0: widen(x, before, after, value),
    "gather": lambda x, i, axis=0: rows(x, i, axis % x.dim()),
    "scatterAdd": lambda x, i, u, axis=0: add_rows(x, i, u, axis % x.dim()),
    "gatherElements": pick_elements,
    "scatterElements": lambda x, i, u, axis, reduction="none": scatter(x, i, u, axis, reduction),
}


def either(a, b):
    like = a if isinstance(a, torch.Tensor) else b if isinstance(b, torch.Tensor) else torch.zeros((), dtype=torch.float64)
    return num(a, like), num(b, like)


def filled(shape, value, dtype="float32"):
    return torch.full(shape, value, dtype=torch.float64).to(DTYPES[dtype])


FUNCTIONS = {
    "where": lambda c, a, b: torch.where(c, *either(a, b)),
    "concat": lambda xs, axis=0: torch.cat(xs, axis),
    "stack": lambda xs, axis=0: torch.stack(xs, axis),
    "stopGradient": lambda x: x.detach(),
    "full": filled,
    "zeros": lambda shape, dtype="float32": filled(shape, 0, dtype),
    "ones": lambda shape, dtype="float32": filled(shape, 1, dtype),
    "zerosLike": torch.zeros_like,
    "onesLike": torch.ones_like,
    "arange": lambda n, dtype="int32": torch.arange(n).to(DTYPES[dtype]),
    "oneHot": lambda i, n, dtype="float32": F.one_hot(i.long(), n).to(DTYPES[dtype]),
    "tril": lambda r, c, offset=0: torch.ones(r, c).tril(offset).bool(),
    "broadcast": lambda *xs: list(torch.broadcast_tensors(*xs)),
}


# --- running a case -----------------------------------------------------------------------------------------------------


def numbers(x):
    """Flat values, floats with eight significant digits; what JSON has no number for is a string."""
    if not x.is_floating_point():
        return [int(v) for v in x.reshape(-1).tolist()]
    out = []
    for v in x.detach().reshape(-1).tolist():
        short = float(f"{v:.8g}")
        if math.isnan(v) or math.isinf(v):
            out.append("NaN" if math.isnan(v) else "Infinity" if v > 0 else "-Infinity")
        else:
            out.append(int(short) if short == int(short) and abs(short) < 1e6 else short)
    return out


def fill_in(arg, x):
    if isinstance(arg, str) and arg.startswith("$"):
        return x[int(arg[1:])]
    return [fill_in(a, x) for a in arg] if isinstance(arg, list) else arg


def run(line):
    case = json.loads(line)
    operands = [operand(spec, seed_of(f"{line}#{i}")) for i, spec in enumerate(case["x"])]
    x = [t for _, t in operands]
    if "op" in case:
        y = PRIMITIVES[case["op"]](x, case.get("params", {}))
    elif "method" in case:
        y = METHODS[case["method"]](x[0], *[fill_in(a, x) for a in case["args"]])
    else:
        y = FUNCTIONS[case["function"]](*[fill_in(a, x) for a in case["args"]])
    ys = y if isinstance(y, list) else [y]
    grads = [None] * len(x)
    if ys[0].is_floating_point() and case.get("grad", True):
        dtype = "float16" if operands and all(d != "float32" for d, _ in operands) else "float32"
        _, _, dy = values(f"{dtype}[{','.join(map(str, ys[0].shape))}]", seed_of(f"{line}#dy"))
        if ys[0].requires_grad:
            ys[0].backward(torch.tensor(dy, dtype=torch.float64).reshape(ys[0].shape))
        grads = [
            numbers(t.grad if t.grad is not None else torch.zeros_like(t)) if t.is_floating_point() else None for t in x
        ]
    return {"case": line, "s": [list(v.shape) for v in ys], "y": [numbers(v) for v in ys], "g": grads}


def main():
    lines = (HERE / "op-cases.jsonl").read_text().splitlines()
    results = [json.dumps(run(line), separators=(",", ":")) for line in lines]
    (HERE / "data").mkdir(exist_ok=True)
    (HERE / "data" / "ops.jsonl").write_text("\n".join(results) + "\n")
    print(f"{len(results)} cases")


if __name__ == "__main__":
    main()

"""Reference behaviour of the replay buffer, by TRL.

Run:  pip download --no-deps trl==0.26.2 && python3 tests/goldens/replay.py trl-0.26.2-py3-none-any.whl
      (the last release that has it; needs torch 2.x; the tests need neither)

Writes tests/goldens/data/replay.json: for sequences of scores the groups that are in the buffer after each addition, and for
one buffer how often each group comes in draws of TRL's own sampling. The class is cut out of the wheel and run as it is.
"""

import ast
import collections
import heapq
import json
import pathlib
import sys
import zipfile

import torch

OUT = pathlib.Path(__file__).parent / "data" / "replay.json"
FILE = "trl/experimental/grpo_with_replay_buffer/grpo_with_replay_buffer_trainer.py"


def main():
    source = zipfile.ZipFile(sys.argv[1]).read(FILE).decode()
    node = next(n for n in ast.parse(source).body if isinstance(n, ast.ClassDef) and n.name == "ReplayBuffer")
    scope = {"heapq": heapq, "torch": torch}
    exec(compile(ast.Module([node], []), FILE, "exec"), scope)
    rng = torch.Generator().manual_seed(0)
    cases = []
    for capacity, count in [(1, 6), (3, 12), (8, 40)]:
        buffer = scope["ReplayBuffer"](capacity)
        scores = [round(x, 6) for x in torch.rand(count, generator=rng).tolist()]
        contents = []
        for i, score in enumerate(scores):
            buffer.add([score], [i])
            contents.append(sorted(datum for _, datum in buffer.heap))
        cases.append({"capacity": capacity, "scores": scores, "contents": contents})
    buffer = scope["ReplayBuffer"](4)
    buffer.add([1.0, 4.0, 2.0, 0.5], [0, 1, 2, 3])
    torch.manual_seed(0)
    draws = {}
    # Two of four are drawn without replacement, five of four with.
    for wanted in (2, 5):
        counts = collections.Counter(x for _ in range(20000) for x in buffer.sample(wanted))
        draws[wanted] = [counts[i] / 20000 for i in range(4)]
    OUT.write_text(json.dumps({"cases": cases, "draws": draws}) + "\n")


main()

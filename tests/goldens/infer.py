"""Reference values of the released inference script: how it parts and cuts sequences and orders files.

Run:  python3 tests/goldens/infer.py INFERENCE_PY

INFERENCE_PY is src/Inference/inference.py of github.com/ModalityDance/Omni-R1 (63fb24e); needs torch and pillow. transformers
is replaced by empty modules, since only plain functions are used. Writes tests/goldens/data/infer.jsonl.
"""

import importlib.util
import json
import pathlib
import random
import sys
import types

DATA = pathlib.Path(__file__).parent / "data" / "infer.jsonl"
BOI, EOI, EOS = 21, 20, 2


def main():
    for name in ("transformers", "transformers.generation", "transformers.generation.stopping_criteria"):
        module = types.ModuleType(name)
        module.ChameleonProcessor = module.ChameleonForConditionalGeneration = object
        module.StoppingCriteria = module.StoppingCriteriaList = object
        sys.modules[name] = module
    spec = importlib.util.spec_from_file_location("inference", sys.argv[1])
    released = importlib.util.module_from_spec(spec)
    sys.modules["inference"] = released
    spec.loader.exec_module(released)
    r = random.Random(0)
    rows = []
    for _ in range(150):
        ids = [r.choice([BOI, EOI, EOS, 4, 5, 6, 7, 130, 140, 150]) for _ in range(r.randint(0, 14))]
        rows.append({"case": "split", "ids": ids, "value": released.split_interleaved_tokens(ids, BOI, EOI)})
        most = r.randint(-1, 3)
        rows.append({"case": "cut", "ids": ids, "most": most, "value": released.truncate_by_max_images(ids, BOI, EOS, most)})
    words = ["visual_search", "Visual-Search", "geometry", "GEOMETRY 3k", "visual jigsaw", "jigsaw", "a", "b", "Z", "search-visual", "__visual__search"]
    for _ in range(40):
        names = list({"-".join(r.sample(words, r.randint(1, 2))) + r.choice(["", "2", "_x"]) for _ in range(r.randint(1, 7))})
        terms = r.choice([["visual_search", "visual-search", "geometry", "visual_jigsaw", "visual-jigsaw"], [], ["Z"], ["jigsaw", "search"]])
        files = [pathlib.Path("/in") / f"{name}.jsonl" for name in names]
        rows.append({"case": "order", "names": names, "terms": terms, "value": [p.stem for p in released.order_by_priority(files, terms)]})
    DATA.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(len(rows), "cases", DATA.stat().st_size // 1024, "KiB")


main()

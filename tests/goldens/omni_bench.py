"""Parquet files for the tests of omni-bench, and what the released script makes of them.

Run:  python3 tests/goldens/omni_bench.py VLLM_EVAL_PY

VLLM_EVAL_PY is omni-bench/vllm_eval.py of github.com/ModalityDance/Omni-R1 (63fb24e). Needs pyarrow, pandas, torch, tqdm and
pillow; vLLM is replaced by an empty module, since only the data set is used. Writes tests/goldens/data/omni-bench/: files by
pyarrow and by pandas with pictures in every form, small pictures for the paths, and expected.jsonl: for each file and set of
options the rows of the released MMParquetDataset (prompt, sizes and mean colours of pictures, raw).
"""

import base64
import importlib.util
import io
import json
import os
import pathlib
import sys
import types

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageFile

DATA = pathlib.Path(__file__).parent / "data" / "omni-bench"


def picture(seed, width=9, height=7):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def encoded(seed, kind="PNG", **size):
    out = io.BytesIO()
    picture(seed, **size).save(out, kind)
    return out.getvalue()


def b64(data):
    return base64.b64encode(data).decode()


def released(path):
    for name in ("vllm",):
        module = types.ModuleType(name)
        module.LLM = module.SamplingParams = object
        sys.modules[name] = module
    spec = importlib.util.spec_from_file_location("vllm_eval", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["vllm_eval"] = module
    spec.loader.exec_module(module)
    # The script fills pictures that are cut off with grey; in this project they cannot be read.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    return module


def main():
    DATA.mkdir(parents=True, exist_ok=True)
    os.chdir(DATA)
    (DATA / "pictures").mkdir(exist_ok=True)
    (DATA / "pictures" / "one.png").write_bytes(encoded(1))
    (DATA / "pictures" / "two.jpg").write_bytes(encoded(2, "JPEG", width=16, height=16))

    # Text cells: base64, wrapped base64, data URLs, paths, none, and what cannot be read.
    png = b64(encoded(3))
    wrapped = "\n".join(png[i : i + 60] for i in range(0, len(png), 60))
    texts = [png, wrapped, "data:image/png;base64," + b64(encoded(4)), "data:image/jpeg;base64," + b64(encoded(5, "JPEG")),
             "pictures/one.png", "pictures/two.jpg", "<TLTS>", None, b64(encoded(6, "GIF")), "A" * 400, b64(encoded(7))[:300], "no/such/file.png"]
    questions = ["What is red?", "<image> What?", "Two <image> and <image> are?", " spaces around ", "Is <image> it?", "Where?", "No picture: <image>!",
                 "None at all?", "A GIF?", "Bad base64?", "Truncated?", "No file?"]
    n = len(texts)
    table = pa.table({
        "question": questions, "image": texts, "answer": [str(i) for i in range(n)],
        "task": ["V*", "ArxivQA", "ChartQA", "Geometry3k", "MathVista", "ViC-Bench"] * (n // 6),
        "number": pa.array([None if i == 2 else i for i in range(n)], pa.int64()), "share": pa.array([i / 7 for i in range(n)], pa.float64()),
        "small": pa.array([i / 7 for i in range(n)], pa.float32()), "flag": [i % 2 == 0 for i in range(n)],
        "when": pa.array([pd.Timestamp("2026-01-12 10:20:30") + pd.Timedelta(days=i) for i in range(n)], pa.timestamp("us")),
        "choices": [["a", "b"], []] * (n // 2), "meta": [{"x": i, "y": "é"} for i in range(n)], "blob": pa.array([b"\x00a'\n\xff"] * n, pa.binary()),
    })
    pq.write_table(table, "text.parquet", compression="zstd", row_group_size=5)

    # pandas: an index of its own, snappy, integers with a gap become floats.
    frame = table.select(["question", "image", "answer", "task", "number"]).to_pandas().set_index("task")
    frame.to_parquet("pandas.parquet")
    frame.drop(columns=["image"]).reset_index().to_parquet("no-image-column.parquet", compression="gzip")

    raw = [encoded(8), encoded(9, "JPEG"), None, b"not a picture", encoded(10)[:60], encoded(11, "GIF")]
    ask = [f"Question {i}?" for i in range(len(raw))]
    pq.write_table(pa.table({"question": ask, "image": pa.array(raw, pa.binary()), "answer": list("abcdef")}), "binary.parquet", compression="brotli")
    struct = [{"bytes": encoded(12), "path": None}, {"bytes": None, "path": "pictures/one.png"}, None, {"bytes": b"bad", "path": "pictures/two.jpg"},
              {"bytes": None, "path": None}, {"bytes": b"bad", "path": "no.png"}]
    pq.write_table(pa.table({"question": ask, "image": pa.array(struct, pa.struct([("bytes", pa.binary()), ("path", pa.string())])), "answer": list("abcdef")}), "struct.parquet")
    lists = [[encoded(13), encoded(14)], [encoded(15)], [], None, [encoded(16), b"bad"], [None, encoded(17)]]
    pq.write_table(pa.table({"question": ["<image> or not?", *ask[1:]], "image": pa.array(lists, pa.list_(pa.binary())), "answer": list("abcdef")}), "list.parquet", compression="lz4")
    structs = [[{"bytes": encoded(18), "path": "x"}, {"bytes": encoded(19), "path": "y"}], []]
    pq.write_table(pa.table({"question": ask[:2], "image": pa.array(structs, pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))), "answer": ["a", "b"]}), "structs.parquet")
    arrays = [np.asarray(picture(20)).tolist(), np.asarray(picture(21).convert("L"))[..., None].tolist()]
    pq.write_table(pa.table({"question": ask[:2], "image": pa.array(arrays, pa.list_(pa.list_(pa.list_(pa.uint8())))), "answer": ["a", "b"]}), "array.parquet")
    pq.write_table(pa.table({"question": ["", None, "  ", "Good?"], "image": pa.array([encoded(22)] * 4, pa.binary()), "answer": ["a", "b", "c", "d"]}), "questions.parquet")
    pq.write_table(pa.table({"frage": ["Was?"], "bild": pa.array([encoded(23)], pa.binary()), "antwort": ["das"]}), "named.parquet")
    (DATA / "cut-off.parquet").write_bytes((DATA / "binary.parquet").read_bytes()[:900])

    module = released(os.path.abspath(sys.argv[1]) if not sys.argv[1].startswith("/") else sys.argv[1])
    sets = {"": {}, "skip": {"skip_if_no_image": True}, "plain": {"use_template": False}, "no-insert": {"auto_insert_placeholders": False},
            "no-remove": {"auto_remove_placeholders": False}}
    with open("expected.jsonl", "w", encoding="utf-8") as out:
        for file in ["text", "pandas", "binary", "struct", "questions", "."]:
            for name, options in sets.items():
                if file == "." and name:
                    continue
                path = str(DATA) if file == "." else str(DATA / f"{file}.parquet")
                data = module.MMParquetDataset(path, shuffle=False, **options).data
                rows = []
                for r in data:
                    pictures = [[*p.size, *np.asarray(p, dtype=float).mean((0, 1)).round(3).tolist()] for p in r.images or []]
                    rows.append({"index": r.global_index, "source": r.source, "dataset": r.dataset, "local_index": r.local_index, "prompt": r.prompt, "pictures": pictures}
                                | ({} if name else {"raw": json.loads(json.dumps(r.raw))}))
                out.write(json.dumps({"file": file, "options": name, "rows": rows}, ensure_ascii=False) + "\n")
    print(sum(f.stat().st_size for f in DATA.rglob("*") if f.is_file()) // 1024, "KiB")


main()

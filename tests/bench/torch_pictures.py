"""The peer of the benchmark of pictures: diffusers with the pipeline that this package saved. Reads a JSON object a line from
standard input and answers each with {"ms": 12.3, "pixels": [...]}, the pictures [B, 3, H, W] in reading order:

    {"embeds": [B, L, D], "empty": [1, L, D], "latents": [B, C, h, w], "steps": 20, "guidance": 5}

    python3 torch_pictures.py THREADS FOLDER
"""
import json
import sys
import time

import torch
from diffusers import StableDiffusionPipeline

torch.set_num_threads(int(sys.argv[1]))
pipeline = StableDiffusionPipeline.from_pretrained(sys.argv[2], safety_checker=None, requires_safety_checker=False)
pipeline.set_progress_bar_config(disable=True)
for line in sys.stdin:
    asked = json.loads(line)
    embeds, empty, latents = (torch.tensor(asked[k]) for k in ("embeds", "empty", "latents"))
    start = time.perf_counter()
    with torch.inference_mode():
        pictures = pipeline(
            prompt_embeds=embeds, negative_prompt_embeds=empty.expand_as(embeds), latents=latents, guidance_scale=asked["guidance"],
            num_inference_steps=asked["steps"], output_type="pt").images  # fmt: skip
    ms = (time.perf_counter() - start) * 1e3
    print(json.dumps({"ms": ms, "pixels": pictures.flatten().tolist()}), flush=True)

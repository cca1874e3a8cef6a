"""Pictures and clips written by Pillow, and their pixels as Pillow reads them (what is transparent lies on white).

Run: python3 tests/goldens/media.py    Writes tests/goldens/data/media/ (files and expected.json). Needs pillow, numpy.
"""
import base64
import json
import os

import numpy as np
from PIL import Image, ImageDraw, ImageOps

OUT = os.path.join(os.path.dirname(__file__), "data", "media")
os.makedirs(OUT, exist_ok=True)

WIDTH, HEIGHT = 19, 13
y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
rgb = np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, (x * 3 + y * 5) * 2], -1).astype(np.uint8)
picture = Image.fromarray(rgb)


def save(name, image, **options):
    image.save(os.path.join(OUT, name), **options)


save("rgb.png", picture)
save("grey.png", picture.convert("L"))
save("grey1.png", picture.convert("1"))
save("grey16.png", Image.fromarray((x * 3400 + y * 13).astype(np.uint16)))
save("palette4.png", picture.convert("P", palette=Image.ADAPTIVE, colors=14))
save("palette8.png", picture.convert("P", palette=Image.ADAPTIVE, colors=200))
save("palette_clear.png", picture.convert("P", palette=Image.ADAPTIVE, colors=16), transparency=3)
save("rgb_clear.png", picture, transparency=tuple(int(v) for v in rgb[3, 5]))
alpha = picture.copy()
alpha.putalpha(Image.fromarray(((x * 13) % 256).astype(np.uint8)))
save("rgba.png", alpha)
save("grey_alpha.png", alpha.convert("LA"))

photo = dict(quality=90, subsampling=0)
save("baseline.jpg", picture, **photo)
save("progressive.jpg", picture, progressive=True, **photo)
save("grey.jpg", picture.convert("L"), **photo)
save("cmyk.jpg", picture.convert("CMYK"), **photo)
save("restart.jpg", picture, restart_marker_blocks=2, **photo)
for orientation in (3, 6, 7):
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(f"turned{orientation}.jpg", picture, exif=exif, **photo)

frames = []
for i in range(4):
    frame = Image.new("RGB", (20, 15), (20, 20, 60))
    ImageDraw.Draw(frame).ellipse([i * 3, 3, i * 3 + 6, 9], fill=(250, 200, 10))
    frames.append(frame)
save("clip.gif", frames[0], save_all=True, append_images=frames[1:], duration=100, loop=0)
save("disposed.gif", frames[0], save_all=True, append_images=frames[1:], duration=[40, 50, 60, 90], loop=0, disposal=2)
noise = Image.fromarray(np.random.RandomState(0).randint(0, 255, (80, 80)).astype(np.uint8)).convert("P")
save("interlaced.gif", noise, interlace=1)

expected = {}
for name in sorted(os.listdir(OUT)):
    if name.endswith(".json"):
        continue
    image = Image.open(os.path.join(OUT, name))
    stack = []
    for k in range(getattr(image, "n_frames", 1)):
        image.seek(k)
        shown = ImageOps.exif_transpose(image) if name.endswith(".jpg") else image
        if shown.mode.startswith("I"):
            stack.append(np.stack([np.array(shown) / 65535 * 255] * 3, -1))
            continue
        values = np.array(shown.convert("RGBA")).astype(float)
        opacity = values[..., 3:] / 255
        stack.append(values[..., :3] * opacity + 255 * (1 - opacity))
    pixels = np.rint(np.stack(stack)).astype(np.uint8)
    expected[name] = {
        "frames": pixels.shape[0],
        "height": pixels.shape[1],
        "width": pixels.shape[2],
        "pixels": base64.b64encode(pixels.tobytes()).decode(),
    }
with open(os.path.join(OUT, "expected.json"), "w") as file:
    json.dump(expected, file)

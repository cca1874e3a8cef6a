"""Golden values of the tokenizer: Hugging Face's trainer and encoder on the same texts.

    python3 tests/goldens/tokenizer.py        # needs: pip install tokenizers
"""
import json
import os
import random

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

here = os.path.dirname(__file__)
rng = random.Random(0)
NOUNS = ["circle", "square", "cross", "star", "river", "city", "tool", "picture", "sound", "naïve café"]
VERBS = ["shows", "plays", "moves", "draws", "counts", "isn't", "I'll take"]


def sentence():
    return f"The {rng.choice(NOUNS)} {rng.choice(VERBS)} {rng.randint(0, 20000)} {rng.choice(NOUNS)}s.{rng.choice(['', ' ', chr(10), '  '])}"


added = ["<|end|>", "<IMG0>", "<IMG1>"]
corpus = [" ".join(sentence() for _ in range(4)) for _ in range(150)] + ["<IMG0><IMG1> a picture<|end|>", "日本語 😀 ok"]
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=400, min_frequency=2, show_progress=False, special_tokens=added, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
)
# The trainer does not cut out special tokens, so it gets the pieces between them.
pieces = []
for text in corpus:
    for token in added:
        text = text.replace(token, "\x00")
    pieces += [p for p in text.split("\x00") if p]
tokenizer.train_from_iterator(pieces, trainer)
tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in added])

alphabet = "abc XYZ 0123 \t\n.,!?'\"-_<>|{}[]éßñ日本😀"
tests = [" ".join(sentence() for _ in range(2)) for _ in range(60)]
tests += ["".join(rng.choice(alphabet) for _ in range(rng.randint(0, 40))) for _ in range(200)]
tests += ["<IMG0><IMG1>", "a<|end|>b", "<IMG0", "<|end|", "x <IMG1> y"]
out = {
    "corpus": corpus,
    "merges": [list(m) for m in json.loads(tokenizer.to_str())["model"]["merges"]],
    "vocab": tokenizer.get_vocab_size(),
    "cases": [[t, tokenizer.encode(t, add_special_tokens=False).ids] for t in tests],
}
with open(os.path.join(here, "data", "tokenizer.json"), "w") as f:
    json.dump(out, f, ensure_ascii=False, separators=(",", ":"))
    f.write("\n")

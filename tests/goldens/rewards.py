"""Reference values of the answer grader and the rewards of Omni-R1, by the released code.

Run:  python3 tests/goldens/rewards.py REWARDS_PY [--seed 0] [--count 420] [--out FILE]

REWARDS_PY is src/PeRPO/rewards.py of github.com/ModalityDance/Omni-R1 (63fb24e); it needs torch, mathruler 0.1.0, sympy
1.14 and pylatexenc 2.11. The tests need none of them. Writes tests/goldens/data/rewards.jsonl: first `grade` cases (answer,
right answer, accuracy; random answers of every kind the grader knows, each changed in the ways that answers differ, and
lists of hard ones), then `ratio` (difflib), `latex` (pylatexenc) and `score` cases (token ids, codebook, options, result).

For a check of thousands: --count 20000 --out many.jsonl, then GRADER_CASES=many.jsonl with the test.
"""

import argparse
import difflib
import importlib.util
import json
import logging
import os
import pathlib
import random
import signal
import tempfile

import torch

DATA = pathlib.Path(__file__).parent / "data" / "rewards.jsonl"


class Watch:
    """Seconds of this process in a call: sympy can take for ever, and the grader swallows whatever stops it."""

    late = False

    def ring(self, *_):
        self.late = True
        raise TimeoutError

    def within(self, seconds, function, *args):
        self.late = False
        signal.signal(signal.SIGVTALRM, self.ring)
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        try:
            return function(*args)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


WORDS = (
    "the a an cat dog red left right of on in below square circle blue figure shows increase decrease yes no rate growth "
    "temperature country China energy 2019 population largest smallest between angle triangle ABC mean value none both"
).split()
CHEM = ["2-methylpropane", "2-methyl-propane", "3-(4-chlorophenyl)-1H-imidazole", "benzene", "1,2-dichloroethyl benzene",
        "4-hydroxy-3-methoxybenzaldehyde", "N-methyl-2-(phenyl)ethylamine", "2-(acetyloxy)benzoic acid", "ethyl (2-bromo)acetate"]
FORMULAE = ["H2O", "CO2", "C6H12O6", "NaCl", "HOH", "OCO", "No", "Co", "C6H6", "CH3CH2OH", "C2H6O", "I", "A", "B", "Fe2O3"]
UNITS = ["cm", " cm", "degrees", "^\\circ", " meters", "\\text{ cm}", "\\text{ miles}", "%", "\\%", " hours", " million", "$"]
FUNCTIONS = ["\\sqrt{%s}", "\\frac{%s}{%s}", "%s^2", "(%s)", "%s/%s", "%s+%s", "%s-%s", "%s*%s", "%s\\cdot %s", "%s%s", "%s\\pi",
             "\\frac%s{%s}", "\\sqrt%s", "-%s", "(%s)(%s)", "%s(%s)", "2^%s", "%s!", "sqrt(%s)", "ln(%s)", "%s\\times %s", "%s\\sqrt{%s}"]


def number(r):
    return r.choice([str(r.randint(0, 12)), str(r.randint(0, 10**r.randint(1, 8))), f"{r.uniform(0, 100):.{r.randint(0, 4)}f}",
                     f"{r.randint(1, 999)},{r.randint(0, 999):03d}", f".{r.randint(1, 99)}", f"-{r.randint(1, 50)}", f"{r.randint(0,99)}%",
                     f"${r.randint(1, 99)}.50", f"({r.randint(1, 99)})", f"€ {r.randint(1, 99)}", f"{r.randint(1,9)}e{r.randint(0,5)}",
                     f"0{r.randint(0, 9)}", f"+{r.randint(0, 9)}", "٣", "1 000", f"{r.randint(1,9)}/{r.randint(1,9)}"])


def expression(r, depth=0):
    if depth > 2 or r.random() < 0.35:
        return r.choice([str(r.randint(0, 9)), str(r.randint(0, 99)), "x", "y", "\\pi", "x", "0.5", "2", "3", "a", "1.25"])
    shape = r.choice(FUNCTIONS)
    return shape % tuple(expression(r, depth + 1) for _ in range(shape.count("%s")))


def rewritten(r, e):
    """Another way to write the same, or nearly."""
    ways = [lambda t: t.replace("\\frac", r.choice(["\\dfrac", "\\tfrac", "\\frac"])), lambda t: t.replace("\\cdot ", "*"),
            lambda t: t.replace("\\times ", r.choice(["*", "\\cdot ", "×"])), lambda t: t.replace("\\pi", r.choice(["pi", "π"])),
            lambda t: t.replace("0.5", "\\frac{1}{2}"), lambda t: t.replace("\\sqrt{", "sqrt(").replace("}", ")"),
            lambda t: f"({t})+0", lambda t: f"1*({t})", lambda t: t + "+1-1", lambda t: t + "+1", lambda t: t.replace("2", "3", 1),
            lambda t: "x=" + t, lambda t: "k = " + t, lambda t: "$" + t + "$", lambda t: t.replace("+", " + "), lambda t: "{" + t + "}",
            lambda t: "\\text{" + t + "}", lambda t: "\\left(" + t + "\\right)", lambda t: t.upper(), lambda t: t + r.choice(UNITS),
            lambda t: t.replace("^2", "**2"), lambda t: f"2({t})/2", lambda t: f"{t}-x+x", lambda t: t.replace("(", "[").replace(")", "]"),
            lambda t: "+".join(reversed(t.split("+"))), lambda t: "*".join(reversed(t.split("*"))), lambda t: " " + t + "\n", lambda t: "-(-(" + t + "))"]
    for _ in range(r.randint(1, 2)):
        e = r.choice(ways)(e)
    return e


def phrase(r, n=None):
    return " ".join(r.choice(WORDS) for _ in range(n or r.randint(1, 9)))


def blurred(r, text):
    chars = list(text)
    for _ in range(r.randint(0, max(1, len(chars) // 5))):
        i = r.randrange(len(chars) + 1)
        kind = r.random()
        if kind < 0.4 and chars and i < len(chars):
            chars[i] = r.choice("abcdefgh 12 .-")
        elif kind < 0.7:
            chars.insert(i, r.choice("abc xyz, "))
        elif chars and i < len(chars):
            del chars[i]
    return "".join(chars)


def decorated(r, text):
    return r.choice(["%s", "%s", "%s.", "the answer is %s", "The Answer is: %s!", "answer is - %s", "option %s", "Option (%s)", "(%s)", "%s)", "%s.",
                     "[%s]", " %s ", "a %s", "the %s", "An %s", "%s;", "Answer: %s", "%s?", "%s %%"]) % text


def label(r):
    return r.choice(list("ABCDEFGHIJabcdefghij") + [str(i) for i in range(0, 12)] + "i ii iii iv v vi vii viii ix x XI II IV Ⅱ Ⅴ ⅱ K ı İ".split())


def pair(r):
    kind = r.choice("digits numbers labels labelled text text chem formula math math math math tuple unit mess".split())
    if kind == "digits":
        a = str(r.randint(0, 20))
        return a, r.choice([a, str(r.randint(0, 20)), "0" + a, "٣", a + "%"])
    if kind == "numbers":
        a = number(r)
        return r.choice([a, number(r), a + "%", a.replace(",", ""), "$" + a, "(" + a + ")", a + ".0", a + "0"]), r.choice([a, number(r)])
    if kind == "labels":
        a = label(r)
        return decorated(r, a), r.choice([a, label(r), decorated(r, a)])
    if kind == "labelled":
        a, t = label(r), phrase(r, r.randint(1, 3))
        sep = r.choice([". ", ") ", ": ", " ", "-", "(", " - "])
        return r.choice([decorated(r, a), a + sep + t, t, blurred(r, a + sep + t)]), r.choice([a + sep + t, label(r) + sep + t, "(" + a + ") " + t])
    if kind == "text":
        t = phrase(r) if r.random() < 0.9 else phrase(r, 60)
        u = blurred(r, t)
        return decorated(r, u), r.choice([t, decorated(r, t), phrase(r)])
    if kind == "chem":
        c = r.choice(CHEM)
        return r.choice([c, blurred(r, c), r.choice(CHEM), c.upper(), c.replace("-", " ")]), c
    if kind == "formula":
        return r.choice([r.choice(FORMULAE), decorated(r, r.choice(FORMULAE))]), r.choice(FORMULAE)
    if kind == "tuple":
        parts = [r.choice([expression(r, 1), number(r)]) for _ in range(r.randint(2, 3))]
        other = [rewritten(r, p) if r.random() < 0.3 else p for p in parts]
        opening, closing = r.choice("(["), r.choice(")]")
        return "=" * r.randint(0, 1) + opening + ",".join(other) + closing, opening + ", ".join(parts) + r.choice([closing, ")"]) + r.choice(["", "", "/1"])
    if kind == "unit":
        n = number(r)
        return n + r.choice(UNITS), r.choice([n, n + r.choice(UNITS), expression(r)])
    if kind == "mess":
        alphabet = "0123456789abxyz+-*/^=(){}[],.%$\\! _#;:'\"&~|<>√π∞é½²fracsqrtpi\n\t"
        a = "".join(r.choice(alphabet) for _ in range(r.randint(0, 12)))
        return a, r.choice([a, blurred(r, a), "".join(r.choice(alphabet) for _ in range(r.randint(0, 12)))])
    e = expression(r)
    return r.choice([rewritten(r, e), rewritten(r, e), rewritten(r, e), e, expression(r)]), e


HARD = [
    ("", ""), ("", "5"), ("5", ""), ("5", "5.0"), ("50%", "0.5"), ("0.5", "50%"), ("50%", "50"), ("50", "50%"), ("(5)", "-5"), ("$1,000.00", "1000"),
    ("1e3", "1000"), ("5%", "5%"), ("(5%)", "-5%"), ("(5)%", "5%"), ("--5", "5"), ("+5", "5"), ("1,2", "12"), ("5 dogs", "5 dogs"), ("9 dogs", "5 dogs"),
    ("No", "Co"), ("No", "No"), ("Yes", "No"), ("HOH", "H2O"), ("a dog", "dog"), ("a dog", "the dog"), ("A dog", "A"), ("a", "A"), ("i", "A"), ("ii", "B"),
    ("I", "1"), ("2", "b"), ("(2)", "b"), ("b", "2"), ("10", "J"), ("x", "10"), ("B-", "B"), ("B (the cat)", "B"), ("B. cat", "A. cat"), ("cat", "A. cat"),
    ("1-butene", "1-butene"), ("2-butene", "1-butene"), ("1/2", "0.5"), ("\\frac{1}{2}", "0.5"), ("\\frac{2}{4}", "\\frac{1}{2}"), ("2/4", "1/2"),
    ("x=5", "5"), ("xyz=5", "5"), ("5=x", "x"), ("2\\sqrt{2}", "\\sqrt{8}"), ("\\sqrt8", "2\\sqrt2"), ("\\sqrt[3]{8}", "2"), ("\\sqrt{4}", "2"),
    ("x^2-1", "(x-1)(x+1)"), ("(x+1)^2", "x^2+2x+1"), ("\\sqrt{x^2}", "x"), ("1/x+1/y", "(x+y)/(x*y)"), ("x^10", "x^10"), ("x^10+0", "x^10"), ("x^{12}", "x^12"),
    ("sin(x)=1", "sin(x)"), ("\\frac{x+1}{2}", "(x+1)/2"), ("\\frac{x+1}{2}", "x+1/2"), ("7\\frac{3}{4}", "31/4"), ("7 3/4=", "31/4"), ("3+1/2", "7/2"),
    ("10^6", "1 million"), ("*million", "10^6"), ("2 million+0", "2000000"), ("[0,\\infty)", "[0, oo)"), ("[0,\\infty)", "[0,\\infty]"), ("(1,2]", "(1,2)"),
    ("(1,2)", "(1,2,3)"), ("(\\frac12, 3)", "(0.5,3)"), ("(1,000,2)", "(1000,2)"), ("1,000+0", "1000"), ("a+b", "b+a"), ("a+b+c", "c+b+a"), ("ab", "b*a"),
    ("2ab/2", "ab"), ("x2", "2*x"), ("2**3", "8.0*1"), ("x!", "x*1!"), ("5!", "120"), ("x!/x", "(x-1)!"), ("x*(x-1)!", "x!"), ("3!!", "3.0*1"), ("x!!", "x!!*1"),
    ("0.1+0.2", "0.3"), ("0.1*3", "0.3"), ("1/3", "0.333333333333333"), ("1/3*x", "0.333333333333333*x"), ("0.5*x", "x/2"), ("x^0.5", "\\sqrt{x}"),
    ("\\frac{1}{0}", "1/0"), ("1/0*2", "1/0"), ("x/x", "1*1.0"), ("0*x", "0.0*y"), ("\\text{5 cm}", "5"), ("5\\text{ cm}", "5"), ("90^\\circ", "90"),
    ("90 degrees=", "90"), ("\\boxed{5}", "5"), ("\\text{A}", "A"), ("\\mathrm{A}", "A"), ("\\mathbf{x}", "x"), ("\\alpha", "α"), ("\\theta/2", "θ/2"),
    ("\\pi", "pi*1"), ("2\\pi r", "2*pi*r"), ("pi*2", "2pi"), ("\\frac\\pi2", "pi/2"), ("\\frac{\\sqrt{3}}{3}", "1/\\sqrt{3}"), ("\\frac{1}{\\sqrt3}", "\\frac{\\sqrt3}{3}"),
    ("ln(4)", "2*ln(2)"), ("ln(2)^2", "ln(2)*ln(2)"), ("ln(8,2)", "3*1.0"), ("\\ln 4", "2\\ln 2"), ("e^2", "e*e"), ("3j", "j*3"), ("1j*1j", "-1.0"),
    ("0.2[1]", "19/90"), ("x_1+1", "1+x_1"), ("x<2", "2>x"), ("x=1,2", "1,2"), ("1 or 2=", "2 or 1"), ("1 and 2*", "1,2*"), ("\\{1,2\\}", "{1,2}"),
    ("(x", "x)"), ("=", "="), ("^", "^"), ("\\", "/"), ("\\frac", "\\frac"), ("\\sqrt", "\\sqrt"), ("\\frac1", "1"), ("a=b=c", "c=b=a"), ("1_000*1", "1000*1.0"),
    ("0x10+0", "16.0*1"), ("007*1", "7*1.0"), ("1.2.3*1", "1.2*.3"), ("2e3*1", "2000.0"), ("x**-1", "1/x"), ("-x^2", "(-x)^2"), ("2^-1", "0.5*1"), ("2^x*2", "2^x+2^x"),
    ("\\sqrt{2}+\\sqrt{3}", "\\sqrt{3}+\\sqrt{2}"), ("\\sqrt{6}", "\\sqrt{2}\\sqrt{3}"), ("\\sqrt{x}\\sqrt{y}", "\\sqrt{xy}"), ("(1+\\sqrt{5})/2", "\\frac{1+\\sqrt5}{2}"),
    ("\\sqrt{5+2\\sqrt{6}}", "\\sqrt{2}+\\sqrt{3}"), ("x(a)!", "x(a)!*1"), ("pi(3)!*1", "(3pi)!"), ("sqrt(x+0.5)", "\\sqrt{x+\\frac{1}{2}}"), ("1.25!-x+x", "1.25!"), ("2^100*1", "1267650600228229401496703205376"), ("x" * 300 + "=", "x" * 300), ("the cat " * 40, "the cat " * 41),
    ("1" + "0" * 60 + "x+1", "1" + "0" * 60 + "x+2"), ("1" + "0" * 60 + "x+1", "1+1" + "0" * 60 + "x"), ("9" * 4301 + "*x*1", "9" * 4301 + "*x"),
    ("\\box\u0131d{.25}", ".25"), ("\\[\\sqrt\\sqrt{0.5}\\]", "\\sqrt\\sqrt{0.5}"), ("\\overline\\overline\\theta", "\\overline{\\overline{\\theta}}"),
    ("1*\\sqrt{2 or 0}", "\\sqrt{2 or 0}"), ("( \n5 )", "-5"), ("(5\n6)", "-56"), ("()", "-0"), ("a" + " " * 3000 + "b", "a b"),
]

SHAPES = [  # grid, ids around the images, options
    dict(), dict(pl_seg_agg="mean"), dict(pl_seg_agg="max"), dict(pl_seg_agg="median"), dict(pl_map="exp"), dict(pl_tau=0.01), dict(pl_tau=0), dict(pl_tau=1),
    dict(image_reward_weight=0.3), dict(image_reward_weight=0), dict(image_reward_weight=1.5), dict(pl_tok_wtv=0.5), dict(pl_tok_w1=0.1, pl_tok_w2=2, pl_tok_wcos=1),
    dict(pl_grid_h=0), dict(pl_grid_h=1), dict(pl_grid_h=1, pl_grid_w=1), dict(pl_grid_w=1),
]


def segment_ids(r, rows, columns, size, begin, end):
    out = []
    for _ in range(r.randint(0, 4)):
        n = r.choice([rows * columns] * 4 + [0, 1, 2, 3, rows * columns - 1, rows * columns + 1])
        image = [r.randrange(4, 4 + size) for _ in range(n)]
        if r.random() < 0.3 and image:
            image.insert(r.randrange(len(image)), r.choice([2, 60000]))
        if r.random() < 0.3 and image:
            image = [image[0]] * len(image)
        out += [r.randint(9000, 9100) for _ in range(r.randint(0, 3))] + [begin] + image + r.choice([[end], [end], [end], [end, end], []])
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rewards")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=420)
    parser.add_argument("--out", type=pathlib.Path, default=DATA)
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    spec = importlib.util.spec_from_file_location("rewards", args.rewards)
    rewards = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rewards)
    from pylatexenc import latex2text

    r = random.Random(args.seed)
    rows = []
    watch = Watch()
    for answer, truth in HARD + [pair(r) for _ in range(args.count)]:
        value = watch.within(4, rewards.acc_reward, f"THOUGHT Final Answer: {answer}", truth)
        if watch.late:
            continue
        rows.append({"case": "grade", "answer": answer, "truth": truth, "value": value})
    for _ in range(args.count // 10):
        a = phrase(r, r.randint(1, 60))
        b = r.choice([blurred(r, a), phrase(r, r.randint(1, 60)), a[::-1], (a * 3)[: r.randint(150, 260)]])
        rows.append({"case": "ratio", "a": a, "b": b, "value": difflib.SequenceMatcher(None, a, b).ratio()})
    latex = ["\\frac{1", "{\\frac1}2", "\\sqrt[3]{x} y", "\\mathbf{ab1}", "\\mathbb{R}^+", "\\mathcal{L}", "\\hat{ab}", "\\begin{pmatrix}-1&2\\\\10&4\\end{pmatrix}",
             "\\begin{cases}x\\end{cases}", "\\[x\\]", "a\\\\[2pt]b", "\\foo{bar}", "\\mbox{if }x", "\\left\\{x\\right\\}", "\\\\", "a--b~c", "\\not=", "\\'e", "\\text{ab }c", "3\\text{ cm}"]
    for text in latex + [expression(r) for _ in range(args.count // 20)]:
        try:
            rows.append({"case": "latex", "text": text, "value": latex2text.LatexNodes2Text().latex_to_text(text)})
        except KeyError:  # a root of nothing
            pass

    with tempfile.TemporaryDirectory() as folder:
        for i in range(max(60, args.count // 40)):
            size, width, grid_rows, grid_columns = r.choice([(12, 4, 3, 4), (8, 3, 2, 2), (20, 6, 4, 4)])
            table = (torch.rand((size, width), generator=torch.Generator().manual_seed(i), dtype=torch.float64) * 2 - 1) * r.choice([0.1, 1, 3])
            path = os.path.join(folder, f"{i}.pt")
            torch.save(table, path)
            kwargs = dict(pl_grid_h=grid_rows, pl_grid_w=grid_columns, perceptual_vocab_size=size, perceptual_hidden_size=width, perceptual_generator_hidden_size=5)
            kwargs.update(r.choice(SHAPES))
            if r.random() < 0.2:
                kwargs.update(boi_token_id=1, eoi_token_id=3)
            ids = segment_ids(r, grid_rows, grid_columns, size, kwargs.get("boi_token_id", 8197), kwargs.get("eoi_token_id", 8196))
            solution = r.choice(["THOUGHT x Final Answer: 5", "Final Answer: 5", "THOUGHT 5", "THOUGHT Final Answer: the red cat sits"])
            truth = r.choice(["5", "6", "the red cat sit"])
            extra = {"responses": ids, "reward_kwargs": {**kwargs, "perceptual_embed_path": path}}
            case = {"case": "score", "solution": solution, "truth": truth, "ids": ids, "kwargs": kwargs, "table": table.tolist()}
            if r.random() < 0.25:
                extra["hidden_states"] = torch.randn((max(1, len(ids) - r.randint(0, 2)), 5), generator=torch.Generator().manual_seed(i))
                torch.manual_seed(i)
                rewards._PL_CACHE.clear()
                module = rewards._ensure_pl(extra["reward_kwargs"]).states_to_hidden
                case |= {"states": extra["hidden_states"].tolist(), "weight": module.weight.tolist(), "bias": module.bias.tolist()}
            for strict in (0, 1):
                rewards.TV2D_STRICT = strict
                case["strict" if strict else "value"] = rewards.compute_score("x", solution, truth, extra)
            rows.append(case)

    with open(args.out, "w", encoding="utf-8") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(len(rows), "cases", os.path.getsize(args.out) // 1024, "KiB")


main()

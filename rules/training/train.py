"""Trains the forest of the generic assignments and writes its weights.

    train.py words WORDS WEIGHTS                          the statistics of letters alone
    train.py forest WORDS WEIGHTS TABLE LINES SYNTHETIC SYNTHETIC_LINES TREE

TABLE and SYNTHETIC are labelled lines, LINES and SYNTHETIC_LINES what `generic_candidates lines` says of them, TREE what
`generic_candidates tree` says of ordinary files. Prints precision and recall with one repository left out at a time.
"""

import collections
import random
import sys

import numpy
from sklearn.ensemble import HistGradientBoostingClassifier

import weights

PRECISION = 0.97
# In ordinary code nearly everything is a look-alike: below this score too many of them pass.
LEAST = 0.0
SETTINGS = {"max_iter": 220, "learning_rate": 0.08, "max_leaf_nodes": 16, "min_samples_leaf": 20, "l2_regularization": 2.0,
            "max_features": 0.3, "early_stopping": False, "random_state": 7}
# Ordinary code outnumbers everything; so many of its candidates are taken, and each counts so much.
ORDINARY, ORDINARY_WEIGHT = 16000, 0.6
SYNTHETIC_WEIGHT = 0.35


def read_table(path):
    """Rows as (repository, category, label, start, end, line)."""
    rows = []
    with open(path, encoding="ascii") as file:
        for line in file.read().split("\n")[1:]:
            if line:
                repo, _, category, label, start, end, text = line.split("\t")
                start, end = int(start or -1), int(end or -1)
                rows.append((repo, category, label, start, end if end >= 0 else (1 << 30 if start >= 0 else -1), text))
    return rows


def read_candidates(path):
    """Candidates by row: (start, end, features or None)."""
    found = collections.defaultdict(list)
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            row, start, end, _, _, numbers = line.rstrip("\n").split("\t")
            values = None if numbers == "-" else numpy.array(numbers.split(","), dtype=numpy.int16)
            found[int(row)].append((int(start), int(end), values))
    return found


def overlaps(row, candidate):
    return row[3] < 0 or (candidate[0] < row[4] and row[3] < candidate[1])


def label(rows, found):
    """Examples (repository, features, 1 or 0, label), and for each row the examples that would hit it."""
    by_line = collections.defaultdict(list)
    for index, row in enumerate(rows):
        by_line[row[0], row[5]].append(index)
    examples, hits = [], collections.defaultdict(list)
    for indexes in by_line.values():
        own = [rows[index] for index in indexes]
        for candidate in found.get(indexes[0], []):
            true = [i for i, row in zip(indexes, own) if row[2] == "T" and overlaps(row, candidate)]
            other = [i for i, row in zip(indexes, own) if row[2] != "T" and overlaps(row, candidate)]
            if candidate[2] is None or not (true or other):
                continue
            number = len(examples)
            what = "T" if true else rows[other[0]][2]
            examples.append((own[0][0], candidate[2], 1 if true else 0, what))
            for index in true or other:
                hits[index].append(number)
    return examples, hits


def fit(values, truth, weight):
    return HistGradientBoostingClassifier(**SETTINGS).fit(values, truth, sample_weight=weight)


def row_weights(examples):
    """A repository with many look-alike rows counts less for each of them."""
    count = collections.Counter((repo, truth) for repo, _, truth, _ in examples)
    return numpy.array([min(1.0, (60 / count[repo, truth]) ** 0.5) * (2.0 if truth else 1.5) for repo, _, truth, _ in examples])


def measure(rows, hits, kept, chosen=lambda row: True):
    """Found, missed, false, and false on test values."""
    found = missed = false = tests = 0
    for index, row in enumerate(rows):
        hit = any(kept[number] for number in hits.get(index, []))
        if row[2] == "T":
            if chosen(row):
                found, missed = found + hit, missed + (not hit)
        elif hit:
            false, tests = false + (row[2] == "F"), tests + (row[2] == "X")
    return found, missed, false, tests


def tell(name, counts):
    found, missed, false, tests = counts
    print(f"{name:34} recall {found / max(1, found + missed):.3f} ({found}/{found + missed})  precision {found / max(1, found + false + tests):.3f}"
          f"  without test values {found / max(1, found + false):.3f}  false {false}+{tests}")


def export(model):
    """Trees as `model.rs` reads them; scores in thousandths of a logit."""
    trees = []
    base = round(float(model._baseline_prediction.ravel()[0]) * 1000)
    trees.append([(255, max(-32000, min(32000, base)), 0)])
    for (predictor,) in model._predictors:
        nodes, out = predictor.nodes, []

        def walk(index):
            node = nodes[index]
            if node["is_leaf"]:
                out.append((255, round(float(node["value"]) * 1000), 0))
                return
            here = len(out)
            out.append(None)
            walk(node["left"])
            ahead = len(out) - here
            walk(node["right"])
            split = int(numpy.floor(min(32766, max(-32768, float(node["num_threshold"])))))
            out[here] = (int(node["feature_idx"]), split, ahead)

        walk(0)
        trees.append(out)
    return trees


def score(trees, values):
    """The score of the exported trees, in integers, as `model.rs` adds it up."""
    total = numpy.zeros(len(values), dtype=numpy.int64)
    for tree in trees:
        for index, row in enumerate(values):
            at = 0
            while tree[at][0] != 255:
                at += 1 if row[tree[at][0]] <= tree[at][1] else tree[at][2]
            total[index] += tree[at][1]
    return total


def main():
    costs, words = weights.read_words(sys.argv[2])
    if sys.argv[1] == "words":
        weights.write(sys.argv[3], costs, words)
        return
    rows = read_table(sys.argv[4])
    examples, hits = label(rows, read_candidates(sys.argv[5]))
    invented, _ = label(read_table(sys.argv[6]), read_candidates(sys.argv[7]))
    with open(sys.argv[8], encoding="utf-8", errors="replace") as file:
        ordinary = [line.split("\t")[4] for line in file if line.count("\t") >= 5]
    ordinary = [numbers for numbers in ordinary if numbers != "-"]
    random.Random(5).shuffle(ordinary)
    plain = numpy.array([numbers.split(",") for numbers in ordinary[:ORDINARY]], dtype=numpy.int16)
    repos = numpy.array([repo for repo, _, _, _ in examples])
    values = numpy.array([features for _, features, _, _ in examples])
    truth = numpy.array([true for _, _, true, _ in examples])
    own_weight = row_weights(examples)
    extra = numpy.concatenate([numpy.array([features for _, features, _, _ in invented]), plain])
    extra_truth = numpy.concatenate([numpy.array([true for _, _, true, _ in invented]), numpy.zeros(len(plain), dtype=int)])
    extra_weight = numpy.concatenate([numpy.full(len(invented), SYNTHETIC_WEIGHT), numpy.full(len(plain), ORDINARY_WEIGHT)])
    print(f"{len(examples)} examples of {len(set(repos))} repositories, {len(invented)} invented, {len(plain)} of ordinary files; {values.shape[1]} features")

    def train(mask):
        return fit(numpy.concatenate([values[mask], extra]), numpy.concatenate([truth[mask], extra_truth]),
                   numpy.concatenate([own_weight[mask], extra_weight]))

    scores = numpy.zeros(len(examples))
    for repo in sorted(set(repos)):
        mask = repos != repo
        scores[~mask] = train(mask).decision_function(values[~mask])
    if len(sys.argv) > 9:
        numpy.save(sys.argv[9], scores)
    report(rows, hits, scores)
    threshold = choose(rows, hits, scores)
    model = train(numpy.ones(len(examples), dtype=bool))
    trees = export(model)
    sample = values[:: max(1, len(values) // 300)]
    gap = numpy.abs(score(trees, sample) / 1000 - model.decision_function(sample)).max()
    assert gap < 0.2, gap
    weights.write(sys.argv[3], costs, words, round(threshold * 1000), trees)
    print(f"threshold {threshold:.3f}, {sum(map(len, trees))} nodes")


def choose(rows, hits, scores):
    """The least threshold of the wanted precision from which on precision stays."""
    best = 6.0
    for threshold in numpy.arange(6.0, LEAST - 0.01, -0.05):
        found, _, false, tests = measure(rows, hits, scores >= threshold)
        if found < 50:
            continue
        if found / max(1, found + false + tests) < PRECISION:
            break
        best = threshold
    return best


def report(rows, hits, scores):
    threshold = choose(rows, hits, scores)
    kept = scores >= threshold
    tell("all categories", measure(rows, hits, kept))
    tell("all but identifiers (UUID)", measure(rows, hits, kept, lambda row: row[1] != "UUID"))
    others = ("UUID", "PEM", "JWK", "JSON Web", "URL Cred", "Twilio", "Firebase", "BASE64", "AWS S3", "NTLM")
    tell("categories of this detector", measure(rows, hits, kept, lambda row: not row[1].startswith(others)))
    for wanted in (0.85, 0.9, 0.92, 0.95, 0.97):
        for limit in numpy.arange(-3, 6, 0.05):
            counts = measure(rows, hits, scores >= limit, lambda row: not row[1].startswith(others))
            if counts[0] / max(1, sum(counts) - counts[1]) >= wanted:
                tell(f"  at precision {wanted} ({limit:.2f})", counts)
                break
    for repo in sorted({row[0] for row in rows}):
        own = [row if row[0] == repo else (row[0], row[1], "-", -1, -1, "") for row in rows]
        counts = measure(own, {i: h for i, h in hits.items() if rows[i][0] == repo}, kept, lambda row: not row[1].startswith(others))
        tell("  " + repo, counts)
    groups = collections.Counter()
    for index, row in enumerate(rows):
        if row[2] == "T":
            groups[row[1], any(kept[number] for number in hits.get(index, []))] += 1
    for name in sorted({name for name, _ in groups}):
        print(f"  {name:60} {groups[name, True]}/{groups[name, True] + groups[name, False]}")


main()

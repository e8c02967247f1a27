"""Can this machine lock an account? Wrong logins against Kamailio, which counts the failures in a row. Needs root.

    python -m tests.bench.bench_lockout [RANDOM STEPS [SEED]]

Prints a line for each step: digests that arrived, failures in a row after it, the most there ever were, who did what.
Ends with 1 where there were three in a row, or two without --i-know.
"""

import random
import sys
from collections.abc import Iterable
from dataclasses import replace

from tests.lab.lockout import CHECKLISTS, SPELLINGS, Lockout, Step
from tests.lab.machine import ANNA, BERT, ROOT, SUDO, Machine, machine, why_no_other_user
from tests.lab.site import Lab, missing, site

USERS = (ANNA, BERT, SUDO, ROOT)
_A_TRIAL = 8
"Random steps on one machine; most of those that follow are refused anyway."


def _again(steps: Iterable[Step]) -> list[Step]:
    """Each step as it is, and then all of them once more by people who know."""
    return [*steps, *(_known(step) for step in steps), *(_known(step) for step in steps)]


def _known(step: Step) -> Step:
    return replace(step, again=True)


TRIALS: dict[str, list[Step]] = {
    "one who does not give up": _again([Step(ANNA)] * 2),
    "two users": _again([Step(ANNA), Step(BERT)]),
    "a user, the same with sudo, and root": _again([Step(ANNA), Step(SUDO), Step(ROOT)]),
    "root before the users": _again([Step(ROOT), Step(ANNA), Step(BERT)]),
    "three checklists": _again([Step(checklist=name) for name in CHECKLISTS]),
    "five spellings": _again([Step(account=spelling) for spelling in SPELLINGS]),
    "other authentication names": _again([Step(auth_user="one"), Step(auth_user="two"), Step()]),
    "--bind": _again([Step(bind=True), Step(checklist="go-gateway", bind=True)]),
    "two at once": [
        Step(ANNA, silent=True, beside=Step(BERT)),
        Step(BERT, again=True, silent=True, beside=Step(SUDO, again=True)),
        Step(ROOT, again=True, silent=True, beside=Step(ANNA, SPELLINGS[2], again=True)),
    ],
    "two at once, answered": [
        Step(ANNA, beside=Step(BERT)),
        *[Step(ANNA, again=True, beside=Step(ROOT, SPELLINGS[1], "go-gateway", again=True))] * 3,
    ],
    "killed after sending": [
        Step(ANNA, killed=True),
        Step(BERT),
        Step(SUDO, again=True, killed=True),
        Step(ROOT, again=True),
        Step(ANNA, again=True),
    ],
    "a success in between": [
        Step(ANNA),
        Step(BERT, again=True, right=True),
        Step(ROOT),
        Step(ANNA),
        Step(SUDO, again=True),
        Step(BERT, again=True, right=True),
        Step(BERT, again=True),
    ],
}


def _random(steps: int, seed: int) -> list[Step]:
    draw = random.Random(seed)

    def one() -> Step:
        return Step(
            draw.choice(USERS),
            draw.choice(SPELLINGS),
            draw.choice(CHECKLISTS),
            again=draw.random() < 0.4,
            bind=draw.random() < 0.2,
            right=draw.random() < 0.25,
        )

    chosen = []
    for _ in range(steps):
        first = one()
        kind = draw.random()
        if kind < 0.2:
            first = replace(first, silent=kind < 0.1, beside=one())
        elif kind < 0.35:
            first = replace(first, killed=True, right=False)
        chosen.append(first)
    return chosen


def _carry_out(lab: Lab, at: Machine, name: str, steps: list[Step]) -> bool:
    print(f"\n{name}\n{'digests':>7} {'in row':>7} {'worst':>6}")
    trial = Lockout(lab, at)
    for step in steps:
        trial.take(step)
        print(trial.told[-1], flush=True)
        if trial.broken:
            print(f"BROKEN: {trial.broken}", flush=True)
            return False
    return True


def main(steps: int, seed: int) -> int:
    reason = missing() or why_no_other_user()
    if reason:
        print(reason)
        return 2
    with site() as lab, machine() as at:
        lab.enter("ready")
        kept = [_carry_out(lab, at, name, trial) for name, trial in TRIALS.items()]
        for number in range(-(-steps // _A_TRIAL)):
            name = f"at random, seed {seed + number}"
            kept.append(_carry_out(lab, at, name, _random(min(_A_TRIAL, steps - _A_TRIAL * number), seed + number)))
    print(f"\n{len(kept)} trials, {kept.count(False)} broken")
    return int(False in kept)


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    sys.exit(main(given[0] if given else 40, given[1] if len(given) > 1 else 11))

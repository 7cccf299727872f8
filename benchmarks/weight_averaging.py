"""Where the running mean of the weights pays: validation scores by schedule.

    python benchmarks/weight_averaging.py [--seeds 2]

No bar; the docstring of `weight_averaging` says what came out.
"""

import argparse

import numpy as np
from _common import begin, print_table
from _validation import Task, tasks

SCHEDULES = {"one_cycle": 1e-2, "cosine": 1e-2, "constant": 3e-3}


def score(task: Task, seed: int, **options: object) -> float:
    model = task.estimator(random_state=seed, max_epochs=15, **options)
    return float(model.fit(task.X, task.y).score(task.X_val, task.y_val))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    begin("Averaging the weights of the last part of training")
    rows = []
    for task in tasks("digits", "adult", "california", "letter"):
        for schedule, lr in SCHEDULES.items():
            means = [
                float(
                    np.mean(
                        [
                            score(
                                task,
                                seed,
                                schedule=schedule,
                                lr=lr,
                                weight_averaging=averaging,
                            )
                            for seed in range(options.seeds)
                        ]
                    )
                )
                for averaging in (None, "ema")
            ]
            rows.append([task.name, schedule, *means])
    print_table(["", "schedule", "last weights", "averaged"], rows)


if __name__ == "__main__":
    main()

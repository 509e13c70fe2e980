"""What was forecast beside what was, VM by VM and for the set."""
# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """The worst that passes."""

    mean_total_error: float
    makespan_error: float
    mean_downtime_error_ms: float
    worst_downtime_error_ms: float
    held_p95: float # of the trip that has learned


STRICT = Limits(0.04, 0.05, 40, 100, 0.9)
# A machine that other work keeps busy: emulated guests and QEMU's threads share its processors.
LENIENT = Limits(0.15, 0.15, 150, 400, 0)


class Comparison:
    """One plan that was applied."""

    def __init__(self, name, plan, result, seconds):
        self.name = name
        self.has_learned = name == "back"
        self.seconds = seconds
        self.forecast_s = plan["makespan_ms"]["p50"] / 1e3
        self.steps = [step for step in result.get("steps", []) if step["state"] == "done"]

    def total_errors(self):
        return [step["planned_migration_ms"]["p50"] / step["migration_ms"] - 1 for step in self.steps]

    def downtime_errors_ms(self):
        return [step["planned_downtime_ms"]["p50"] - step["downtime_ms"] for step in self.steps]

    def held_p95(self):
        held = sum(step["migration_ms"] <= step["planned_migration_ms"]["p95"] for step in self.steps)
        return held / len(self.steps) if self.steps else 0

    def figures(self):
        n = max(1, len(self.steps))
        return (sum(map(abs, self.total_errors())) / n, self.forecast_s / self.seconds - 1,
                sum(map(abs, self.downtime_errors_ms())) / n, max(map(abs, self.downtime_errors_ms()), default=0))

    def print(self):
        print(f"{self.name}:\n{'VM':>10} {'total, s':>9} {'forecast':>9} {'p95':>6} {'error':>7}"
              f" {'downtime, ms':>13} {'forecast':>9}")
        for step, error in zip(self.steps, self.total_errors()):
            planned, downtime = step["planned_migration_ms"], step["planned_downtime_ms"]
            print(f"{step['vm_name']:>10} {step['migration_ms'] / 1e3:9.2f} {planned['p50'] / 1e3:9.2f}"
                  f" {planned['p95'] / 1e3:6.2f} {error:+7.1%} {step['downtime_ms']:13.0f} {downtime['p50']:9.0f}")
        total, makespan, downtime_ms, worst_ms = self.figures()
        print(f"mean error of the total time {total:.1%}, of the downtime {downtime_ms:.0f} ms (worst {worst_ms:.0f});"
              f" set {self.seconds:.1f} s, forecast {self.forecast_s:.1f} s ({makespan:+.1%});"
              f" p95 held by {self.held_p95():.0%}", flush=True)

    def judge(self, limits):
        """What is worse than the limits, in words."""
        total, makespan, downtime_ms, worst_ms = self.figures()
        checks = ((len(self.steps) == 0, "nothing was migrated"),
                  (total > limits.mean_total_error, f"mean error of the total time {total:.1%}"),
                  (abs(makespan) > limits.makespan_error, f"error of the makespan {makespan:.1%}"),
                  (downtime_ms > limits.mean_downtime_error_ms, f"mean error of the downtime {downtime_ms:.0f} ms"),
                  (worst_ms > limits.worst_downtime_error_ms, f"worst error of a downtime {worst_ms:.0f} ms"),
                  (self.has_learned and self.held_p95() < limits.held_p95, f"p95 held by {self.held_p95():.0%}"))
        return [f"{self.name}: {what}" for is_worse, what in checks if is_worse]

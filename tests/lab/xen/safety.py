"""The agent does no harm: not to a migration, not to a guest, whatever happens in the middle of a burst."""
# SPDX-License-Identifier: GPL-3.0-or-later
from machine import MachineError


def _require(condition, what):
    if not condition:
        raise MachineError(f"not so: {what}")
    print(f"  {what}")


class Safety:
    """Each check leaves the agent running and `guest` alive."""

    def __init__(self, dom0, accuracy, guest):
        self.dom0 = dom0
        self.accuracy = accuracy
        self.guest = guest
        self.uuid = dom0.uuid(guest.name)

    def _wait_for_burst(self, name):
        """Its domid, at the beginning of a burst: it is not in one, then it is."""
        domid = self.dom0.domid(name)
        self.dom0.wait_for("the end of a burst", lambda: not self.dom0.in_burst(domid), 60)
        self.dom0.wait_for("a burst", lambda: self.dom0.in_burst(domid), 60)
        return domid

    def _look_over(self):
        """The guest's beat after it has looked at all of its memory from now on."""
        last = self.dom0.beats(self.guest.name, arrived=True)[-1]
        return self.dom0.wait_until_alive(self.guest.name, arrived=True, since=last)

    def interlock(self, cap_bytes_per_s):
        """HOLD ends a burst before the migration begins; afterwards the guest is whole, and is sampled again."""
        print("interlock: a migration ordered in the middle of a burst")
        domid = self._wait_for_burst(self.guest.name)
        n_before = self.dom0.n_bursts(self.uuid)
        run = self.accuracy.migrate(self.guest, cap_bytes_per_s)
        n_after = self.dom0.n_bursts(self.uuid)
        _require(run.first_enable == 0, f"log-dirty was off when the migration turned it on ({run.first_enable})")
        _require(n_after == n_before, f"the burst was ended by HOLD, none was published ({n_after - n_before})")
        _require(not self.dom0.in_burst(domid), "the agent's mark is gone")
        self.dom0.wait_for("a burst after RELEASE", lambda: self.dom0.n_bursts(self.uuid) > n_before, 60)
        print("  after RELEASE it is sampled again")
        beat = self._look_over()
        _require(beat.n_bad == 0, "the guest is alive, its memory as it left it")

    def vanished(self, victim):
        """A domain destroyed in the middle of its burst."""
        print("a domain that vanishes in the middle of a burst")
        domid = self._wait_for_burst(victim.name)
        self.dom0.destroy(victim.name)
        self.dom0.wait_for("the mark to go", lambda: not self.dom0.in_burst(domid), 30)
        n_before = self.dom0.n_bursts(self.uuid)
        self.dom0.wait_for("bursts of others", lambda: self.dom0.n_bursts(self.uuid) > n_before, 60)
        _require(self.dom0.agent_lives(), "the agent lives and goes on sampling")

    def killed(self):
        """The agent killed in the middle of a burst, and started again."""
        print("the agent killed (SIGKILL) in the middle of a burst")
        domid = self._wait_for_burst(self.guest.name)
        self.dom0.stop_agent("KILL")
        _require(self.dom0.in_burst(domid), "its mark stays")
        n_before = self.dom0.n_bursts(self.uuid)
        self.dom0.start_agent_again()
        self.dom0.wait_for("log-dirty to be turned off",
                           lambda: self.dom0.agent_said("an earlier run left log-dirty on"), 30)
        self.dom0.wait_for("a burst after the restart", lambda: self.dom0.n_bursts(self.uuid) > n_before, 60)
        print("  started again, it turns log-dirty off and samples anew")
        beat = self._look_over()
        _require(beat.n_bad == 0, "the guest never noticed")

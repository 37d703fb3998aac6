"""What the words of the views mean: one sentence each, for titles, `%omp_explain` and the docs.

``docs/reference/words.md`` says the same; a test keeps them equal.
"""

from __future__ import annotations

MEANINGS: dict[str, str] = {
    "runtime": (
        "A library that makes threads for others: an OpenMP runtime such as libgomp, or a BLAS "
        "such as OpenBLAS or MKL."
    ),
    "pool": "The threads that one runtime or package keeps ready, and how many it may use at once.",
    "set": (
        "Threads that this pool uses at its next call, the calling one among them; they need not "
        "have been started yet."
    ),
    "alive": (
        "Threads of this pool or owner that exist now, most of them asleep as a rule; they stay "
        "when its number is made smaller."
    ),
    "busy": "Threads that used a CPU, or wanted one, at the last look.",
    "workers": (
        "Threads that a runtime has started besides the one that calls it; they sleep and stay "
        "when a lower limit is set, since few runtimes ever end them."
    ),
    "worker": "A child process that works for this one, such as joblib or multiprocessing starts.",
    "helper": (
        "A child process that serves others and works for nobody: multiprocessing's and loky's "
        "trackers of resources, and the fork server itself."
    ),
    "rss": (
        "Resident memory of a process; what it shares with others, such as libraries and what a "
        "fork copied, is counted in each of them."
    ),
    "pss": (
        "Resident memory with each shared page divided by those who share it: the sum over "
        "processes is what they use together. Linux tells it."
    ),
    "lender": "The runtime whose threads a pool borrows, having none of its own.",
    "serves": (
        "Calls of OpenMP go to this runtime: it stands first where libraries look for OpenMP's "
        "functions."
    ),
    "idle": (
        "In memory, and not called: another runtime that was loaded earlier gets its calls; it "
        "costs nothing."
    ),
    "not started": (
        "In memory, without threads yet: it starts at its first call, and is not asked before, "
        "since asking would start it."
    ),
    "not asked": (
        "Whether it has started cannot be seen from outside, and to ask could start it or end "
        "this process."
    ),
    "affinity": "The CPUs on which the system lets this process run, whatever else limits it.",
    "quota": (
        "CPU time that a cgroup may use in each period, 100 ms as a rule: 50 ms are 0.5 CPUs; "
        "when it is used up, all of its threads stop until the next period."
    ),
    "cgroup": (
        "The group of processes that the system counts and limits together: a container, a pod, a "
        'service or a batch job. "Its cgroup" is what all of them use, this process included.'
    ),
    "bounds": (
        "All that says how many CPUs this process may use: affinity, the quotas of its cgroups, "
        "what a batch system declares; the smallest decides."
    ),
    "waiting": (
        "The share of time in which threads here were ready to run and had no CPU: others were on "
        "it, or a quota was used up."
    ),
    "throttled": "The share of periods in which a cgroup used up its quota and was stopped.",
    "neighbours": "Other processes in the same cgroup: they use up the same CPUs.",
    "pressure": "The share of time in which somebody on this machine waited for a CPU.",
    "limit": "A number of threads that omp_magic holds pools to, until it is taken back.",
    "guard": (
        "What looks at imports, forks and process pools before they happen, and warns of those "
        "that would end or hang this kernel, or refuses them."
    ),
}
"""A word, as views write it, to one sentence that says what it is."""


def meaning_in(text: str) -> str:
    """Give what the first word of a text means that is known, or "": of a runtime's state."""
    return next((meant for word, meant in MEANINGS.items() if word in text), "")

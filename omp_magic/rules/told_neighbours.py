"""Stories of OMP211: other processes of the group."""

from __future__ import annotations

from .story import Story

STORIES: dict[str, Story] = {
    "OMP211": Story(
        "The CPUs of a container, a job or a machine are shared: other kernels, a server, a "
        "compiler use them too. What they use is not there for this process, whose pools are as "
        "large as if it was alone: their threads wait, and a team waits for its slowest thread.",
        "What the cgroup used, less what this process and its children used, between two looks; "
        "the largest of the others by pid where /proc shows them, at the third look. It is the "
        "cgroup whose quota binds, else the own one. Where the whole machine is that group, it "
        "is said only when threads of this process have waited. From a seventh of the CPUs on, "
        "and when they and the largest pool here want more than there is.",
        (
            "Use what they leave: %omp_limit 1",
            "Or end what is not needed, other notebooks' kernels for example",
        ),
    ),
}

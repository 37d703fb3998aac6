"""The magics that write something down, or tell of what was before this kernel."""

from __future__ import annotations

from argparse import SUPPRESS
from typing import TYPE_CHECKING

from IPython.core.magic import line_magic
from IPython.core.magic_arguments import argument, magic_arguments

from .asking import as_written, parsed

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..facts.clustersnapshots import ClusterSnapshot
    from ..facts.deaths import Deaths
    from ..starting import Environment
    from .clusterlive import ClusterLive, ClusterPanel
    from .watch import Watch


class Telling:
    """Adds its magics to the class that inherits it."""

    _shell: InteractiveShell
    _watch: Watch
    clusters: ClusterLive | None = None
    """The live panels of clusters, from the first one on."""

    @magic_arguments()
    @argument("file", nargs="*", help="ends in .html, .txt, .md or .json")
    @argument("--force", action="store_true", help="replace a file that is there")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_magic
    def omp_report(self, line: str) -> None:
        """Write one file for a bug report: facts, findings with evidence, and versions.

        Home folder and user name are replaced, and variables outside the table are left out::

            %omp_report omp.html
        """
        options = parsed(self.omp_report, line, "FILE, --force", "%omp_report omp.html")
        if options is not None:
            from .answers import reported  # noqa: PLC0415 - see the top of the file

            reported(options.file, force=options.force)

    @magic_arguments()
    @argument(
        "--format",
        metavar="FORMAT",
        help="bash, fish, powershell, cmd, dotenv, dockerfile, compose, kubernetes, conda, "
        "systemd, pm2, kernelspec, dask, github, python (default: the system's shell)",
    )
    @argument("--threads", metavar="SPEC", help='as %%omp_limit: 2, auto/2, "blas=1 openmp=2"')
    @argument("--workers", metavar="N", help="processes (dask: tasks) that divide the CPUs")
    @argument(
        "--set", dest="sets", metavar="NAME=VALUE", action="append", help="set a variable too"
    )
    @argument(
        "--fix", dest="codes", metavar="CODE", action="append", help="set what mends this finding"
    )
    @argument("-o", "--output", metavar="FILE", help="write this file")
    @argument("--force", action="store_true", help="replace a file that is there")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_magic
    def omp_env(self, line: str) -> Environment | None:
        """Give the variables for what is installed here, in the form of the tool that starts it.

        A variable works only before its library is loaded: in a terminal, a container, a unit, or
        the first cell. What is set already stays::

            %omp_env --format dockerfile --workers 2
            %omp_env --format python --fix OMP303
            %omp_env --format bash --output omp-env.sh

        It gives an Environment; `str` has the text, `save("omp-env.sh")` writes the file.
        """
        accepted = "--format, --threads, --workers, --set, --fix, --output, --force"
        options = parsed(self.omp_env, line, accepted, "%omp_env --format dockerfile --workers 2")
        if options is None:
            return None
        from .starting import environment_for  # noqa: PLC0415 - see the top of the file

        made = environment_for(options)
        hidden = options.output is not None or line.rstrip().endswith(";")
        return None if hidden else made

    @magic_arguments()
    @argument("--all", action="store_true", help="the kernels of all notebooks of this user")
    @argument("--json", action="store_true", help="print it as JSON")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_magic
    def omp_postmortem(self, line: str) -> Deaths | None:
        """Say why this notebook's kernel died before: its last cell, its last words, what helps.

        From ``%load_ext omp_magic`` on a small file in Jupyter's runtime folder holds what was
        loaded, found and running; a clean end removes it::

            %omp_postmortem
            %omp_postmortem --all
        """
        options = parsed(self.omp_postmortem, line, "--all, --json", "%omp_postmortem --all")
        if options is None:
            return None
        from .postmortems import asked  # noqa: PLC0415 - see the top of the file

        found = asked(self._watch.recorder.record, everything=options.all)
        if options.json:
            print(found.to_json())
            return None
        return None if line.rstrip().endswith(";") else found

    @magic_arguments()
    @argument("client", nargs="*", help="a client, or an expression that gives one: rc[:]")
    @argument("--limit", metavar="SPEC", help="set this on every worker: 2, auto, blas=1; or off")
    @argument("--timeout", type=float, metavar="S", help="seconds that each worker has, 10")
    @argument("--live", action="store_true", help="a panel that looks again and again")
    @argument("--json", action="store_true", help="print it as JSON")
    @argument("-h", "--help", action="store_true", help=SUPPRESS)
    @line_magic
    def omp_cluster(self, line: str) -> ClusterSnapshot | ClusterPanel | None:
        """Show every worker of a Dask or ipyparallel cluster: its runtimes, threads and CPUs.

        Workers that are alike stand in one row. With ``--limit auto`` each gets its share of the
        CPUs of its host; ``--limit off`` gives back what it had::

            %omp_cluster client
            %omp_cluster rc[:] --limit auto
            %omp_cluster client --live

        It gives a ClusterSnapshot; `to_frame()` has a row a worker.
        """
        from .clusters import ACCEPTED, EXAMPLE, clustered  # noqa: PLC0415 - as above

        options = parsed(self.omp_cluster, line, ACCEPTED, EXAMPLE)
        if options is None:
            return None
        text = as_written(line, options.client)
        found = clustered(self._shell, text, options, self._made_clusters)
        return None if line.rstrip().endswith(";") else found

    def _made_clusters(self) -> ClusterLive:
        from .clusterlive import ClusterLive  # noqa: PLC0415 - as above

        if self.clusters is None:
            self.clusters = ClusterLive(self._shell)
        return self.clusters

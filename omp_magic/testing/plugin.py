"""``pytest --omp-check``: what pytest loads in every session where omp_magic is installed.

It imports nothing: the work begins in `session`, once it is asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    import pytest

_OPTION, _SEVERITIES = "--omp-check", ("error", "warning")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the option and its list of exceptions.

    ``--omp-check=warning`` is a name of its own: with an optional value (argparse's ``nargs="?"``)
    ``pytest --omp-check tests`` would take the folder for it.

    Raises
    ------
    pytest.UsageError
        When the command line has it with another value: argparse would say that it has ignored
        that, and not what is accepted.
    """
    config = pluginmanager.get_plugin("pytestconfig")
    for word in config.invocation_params.args if config is not None else ():
        if str(word).startswith(f"{_OPTION}=") and str(word).partition("=")[2] not in _SEVERITIES:
            from .session import refuse  # noqa: PLC0415 - as below

            refuse(str(word), [f"{_OPTION}={each}" for each in _SEVERITIES])
    group = parser.getgroup("omp-magic", "OpenMP and BLAS runtimes")
    for severity in _SEVERITIES:
        more = (_OPTION,) if severity == "error" else ()
        group.addoption(
            *(*more, f"{_OPTION}={severity}"),
            dest="omp_check",
            action="store_const",
            const=severity,
            help="fail a session that ends with a duplicate runtime, or in which limits, CPUs or "
            "variables were changed and not given back"
            if more
            else "also for what may do harm: copies that a variable masks, separate pools",
        )
    parser.addini(
        "omp_check_allow",
        f"what {_OPTION} lets pass: codes (OMP105), variables (KMP_BLOCKTIME), limits, cpus, env",
        type="args",
        default=[],
    )


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin before a conftest.py imports anything."""
    if getattr(early_config.known_args_namespace, "omp_check", None):
        _begin(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Begin, where the plugin came too late for the first conftest.py: by ``-p``, in a worker."""
    if config.getoption("omp_check", None):
        _begin(config)


def _begin(config: pytest.Config) -> None:
    try:
        from .session import begin  # noqa: PLC0415 - a session that does not ask pays nothing

        begin(config)
    except Exception as error:
        if type(error).__name__ == "UsageError":  # what somebody wrote is wrong
            raise
        import logging  # noqa: PLC0415 - never needed when all goes well

        log = logging.getLogger("omp_magic")
        log.warning("omp_magic: --omp-check not begun (%s: %s)", type(error).__name__, error)

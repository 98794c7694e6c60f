"""Where the steps of a run are executed: processes of one machine, or pods of Kubernetes."""

import dagster as dg

from quality_platform.config.environment import environment_variable
from quality_platform.errors import ConfigurationError

EXECUTOR_VARIABLE = "QUALITY_PLATFORM_EXECUTOR"
"""Which executor runs use. It is a matter of the deployment, and not of runner.yaml."""

MULTIPROCESS, KUBERNETES = "multiprocess", "k8s"


def executor() -> dg.ExecutorDefinition:
    """The executor that the environment names; processes of one machine where it names none.

    Raises:
        ConfigurationError: there is no such executor, or what it needs is not installed.
    """
    wanted = environment_variable(EXECUTOR_VARIABLE) or MULTIPROCESS
    if wanted == MULTIPROCESS:
        return _multiprocess()
    if wanted == KUBERNETES:
        return _kubernetes()
    raise ConfigurationError(
        "there is no such executor",
        field=EXECUTOR_VARIABLE,
        received=wanted,
        allowed=f"{MULTIPROCESS}, {KUBERNETES}",
    )


def _multiprocess() -> dg.ExecutorDefinition:
    """A process for each step, forked from one that has imported everything once."""
    modules = ["quality_platform.definitions", "quality_platform.flows.run_platform"]
    return dg.multiprocess_executor.configured(
        {"start_method": {"forkserver": {"preload_modules": modules}}}
    )


def _kubernetes() -> dg.ExecutorDefinition:
    """A pod for each step, with the image and the settings of the run's own pod."""
    try:
        from dagster_k8s import k8s_job_executor
    except ImportError:
        raise ConfigurationError(
            "dagster-k8s is not installed",
            field=EXECUTOR_VARIABLE,
            received=KUBERNETES,
            action="pip install 'quality-platform[kubernetes]'",
        ) from None
    found: dg.ExecutorDefinition = k8s_job_executor
    return found

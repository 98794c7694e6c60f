"""Where the steps of a run are executed: processes of one machine, or pods of Kubernetes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg

from quality_platform.config.environment import environment_variable
from quality_platform.errors import ConfigurationError
from quality_platform.orchestration.keys import LANDING_OP

EXECUTOR_VARIABLE = "QUALITY_PLATFORM_EXECUTOR"
"""Which executor runs use. It is a matter of the deployment, and not of runner.yaml."""

MULTIPROCESS, KUBERNETES = "multiprocess", "k8s"

_RETRIES: Mapping[str, object] = {"retries": {"enabled": {}}}


def executor() -> dg.ExecutorDefinition:
    """The executor that the environment names; processes of one machine where it names none.

    Raises:
        ConfigurationError: there is no such executor, or what it needs is not installed.
    """
    wanted = environment_variable(EXECUTOR_VARIABLE) or MULTIPROCESS
    if wanted == MULTIPROCESS:
        return _processes
    if wanted == KUBERNETES:
        return _kubernetes()
    raise ConfigurationError(
        "there is no such executor",
        field=EXECUTOR_VARIABLE,
        received=wanted,
        allowed=f"{MULTIPROCESS}, {KUBERNETES}",
    )


class FewProcesses(dg.Executor):
    """One process for a run of one table, and one for each step of a run of several.

    What keeps tables from each other, and lets them load at the same time, costs a run of one table
    a second process, which imports everything once more.
    """

    def __init__(self, alone: dg.Executor, several: Callable[[], dg.Executor]) -> None:
        self._alone = alone
        self._several = several

    # The types of the arguments are in no public module.
    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        """Executes the steps of a run."""
        # To look at sources is no work.
        steps = [key for key in execution_plan.step_keys_to_execute if key != LANDING_OP]
        chosen = self._alone if len(steps) <= 1 else self._several()
        yield from chosen.execute(plan_context, execution_plan)

    @property
    def retries(self) -> Any:
        """Whether steps are retried."""
        return self._alone.retries


@dg.executor(
    name=MULTIPROCESS,
    config_schema={
        "max_concurrent": dg.Field(
            dg.Noneable(int),
            default_value=None,
            description="Steps at the same time; as many as there are processors where left out.",
        )
    },
    requirements=dg.multiple_process_executor_requirements(),
)
def _processes(context: dg.InitExecutorContext) -> dg.Executor:
    def several() -> dg.Executor:
        # It needs the repository, which needs this.
        from quality_platform.orchestration.preloading import announced

        # Forked from one process that has imported everything once, and loaded the run's tables.
        modules = ["quality_platform.definitions", "quality_platform.flows.run_platform"]
        preload = {"preload_modules": [*modules, *announced(context.job.get_definition())]}
        config = {**context.executor_config, **_RETRIES, "start_method": {"forkserver": preload}}
        return _made(dg.multiprocess_executor, context, config)

    return FewProcesses(_made(dg.in_process_executor, context, _RETRIES), several)


def _made(
    definition: dg.ExecutorDefinition, context: dg.InitExecutorContext, config: Mapping[str, object]
) -> dg.Executor:
    create = definition.executor_creation_fn
    assert create is not None
    return create(dg.InitExecutorContext(context.job, definition, config, context.instance))


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

"""Files that runner.yaml includes: what they may say, and where everything in them stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.problems import only_problem, place, problems_of
from support.runner_text import HOME, ORDERS

from quality_platform.config.loading import RunnerFile, load_runner, read_runner
from quality_platform.errors import (
    ConfigurationError,
    EnvironmentVariableError,
    RunnerFileError,
)

CUSTOMERS = ORDERS.replace("orders", "customers")


def write(folder: Path, **files: str) -> Path:
    """Writes files, `/` written as `__` and without their ending, and gives runner.yaml's path."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "runner.yaml"


def load(folder: Path, **files: str) -> RunnerFile:
    return load_runner(write(folder, **files), HOME)


def read(folder: Path, **files: str) -> RunnerFile:
    return read_runner(write(folder, **files), HOME)


def test_what_stands_in_included_files_is_part_of_the_file(tmp_path: Path) -> None:
    file = load(
        tmp_path,
        runner="include: [tables/*.yaml, 'teams/**/runner.yaml']\n" + ORDERS,
        tables__customers=CUSTOMERS,
        tables__schedules="schedules: {nightly: {cron: '@daily', targets: [items, orders]}}\n",
        teams__a__runner=ORDERS.replace("orders", "items"),
        teams__b__deep__runner="connections: {shop: {url: 'postgresql://host/shop'}}\n",
    )
    assert list(file.config.tables) == ["orders", "customers", "items"]
    assert list(file.config.schedules) == ["nightly"]
    assert list(file.config.connections) == ["shop"]


def test_a_file_may_hold_nothing_but_what_it_includes(tmp_path: Path) -> None:
    file = load(tmp_path, runner="include: [orders.yaml]\n", orders=ORDERS)
    assert list(file.config.tables) == ["orders"]


def test_values_know_the_file_and_the_line_in_which_they_stand(tmp_path: Path) -> None:
    file = load(
        tmp_path, runner="include: [tables/*.yaml]\n" + ORDERS, tables__c="# c\n" + CUSTOMERS
    )
    customers = file.location("tables", "customers", "contract")
    assert (Path(customers.file), customers.line) == (tmp_path / "tables/c.yaml", 4)
    orders = file.location("tables", "orders", "contract")
    assert (Path(orders.file), orders.line) == (tmp_path / "runner.yaml", 4)


def test_paths_start_at_the_folder_of_the_file_in_which_they_stand(tmp_path: Path) -> None:
    file = load(tmp_path, runner="include: [tables/*.yaml]\n" + ORDERS, tables__c=CUSTOMERS)
    assert file.resolver("tables", "customers")("a.csv") == tmp_path / "tables" / "a.csv"
    assert file.resolver("tables", "customers")("/a.csv") == Path("/a.csv")
    assert file.resolver("tables", "orders")("a.csv") == tmp_path / "a.csv"


def test_a_problem_names_the_included_file_and_its_line(tmp_path: Path) -> None:
    wrong = CUSTOMERS.replace("contract:", "contracts:")
    files = {"runner": "include: [c.yaml]\n" + ORDERS, "c": wrong}
    problems = problems_of(RunnerFileError, lambda: load(tmp_path, **files))
    assert {(place(p), p.field) for p in problems} == {
        (("c.yaml", 3), "tables.customers.contracts"),
        (("c.yaml", 2), "tables.customers.contract"),
    }


def test_variables_and_secrets_are_told_with_their_own_place(tmp_path: Path) -> None:
    connection = "connections:\n  shop: {url: 'postgresql://u:${secret:PASSWORD}@host/shop'}\n"
    path = write(tmp_path, runner="include: ['${PART}.yaml']\n" + ORDERS, part=connection)
    file = load_runner(path, {**HOME, "PART": "part"})
    (reference,) = file.secrets.references
    assert reference.location is not None
    assert (Path(reference.location.file).name, reference.location.line) == ("part.yaml", 2)
    write(tmp_path, part=connection.replace("secret:", ""))
    variables = {**HOME, "PART": "part"}
    problem = only_problem(EnvironmentVariableError, lambda: load_runner(path, variables))
    assert place(problem) == ("part.yaml", 2)


@pytest.mark.parametrize("include", ["[nothing/*.yaml]", "[nothing.yaml]", "[runner.yml]"])
def test_a_pattern_that_finds_nothing_is_an_error(tmp_path: Path, include: str) -> None:
    text = f"{ORDERS}include:\n  {include}\n"
    problem = only_problem(RunnerFileError, lambda: read(tmp_path, runner=text))
    assert problem.message == "there is no such file to include"
    assert (problem.field, place(problem)) == ("include.0", ("runner.yaml", 6))
    assert problem.received.startswith(str(tmp_path))


@pytest.mark.parametrize("include", ["tables/*.yaml", "{}", "[1]", "[[a]]", "null"])
def test_include_must_be_a_list_of_texts(tmp_path: Path, include: str) -> None:
    text = f"{ORDERS}include: {include}\n"
    problem = only_problem(RunnerFileError, lambda: read(tmp_path, runner=text))
    assert (problem.field, problem.message) == ("include", "must be a list of paths or globs")


def test_a_variable_of_include_that_is_not_set_concerns_everything(tmp_path: Path) -> None:
    text = ORDERS + "include: ['${NOWHERE}/*.yaml']\n"
    problem = only_problem(EnvironmentVariableError, lambda: read(tmp_path, runner=text))
    assert place(problem) == ("runner.yaml", 5)


def test_a_secret_cannot_be_a_path(tmp_path: Path) -> None:
    text = ORDERS + "include: ['${secret:PATH}.yaml']\n"
    problem = only_problem(RunnerFileError, lambda: read(tmp_path, runner=text))
    assert "a secret cannot stand here" in problem.message


def test_a_glob_that_finds_the_file_itself_passes_it_over(tmp_path: Path) -> None:
    file = load(tmp_path, runner="include: ['**/*.yaml']\n" + ORDERS, tables__c=CUSTOMERS)
    assert list(file.config.tables) == ["orders", "customers"]


def test_a_file_that_names_itself_is_told(tmp_path: Path) -> None:
    text = ORDERS + "include: [./runner.yaml]\n"
    problem = only_problem(RunnerFileError, lambda: read(tmp_path, runner=text))
    assert problem.message == "the file includes itself"


def test_a_file_that_two_patterns_find_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "link.yaml").symlink_to(tmp_path / "c.yaml")
    text = "include: [c.yaml, '*.yaml', link.yaml]\n" + ORDERS
    assert list(load(tmp_path, runner=text, c=CUSTOMERS).config.tables) == ["orders", "customers"]


def test_hidden_files_and_folders_are_not_found_by_globs(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text(CUSTOMERS)
    (tmp_path / ".y.yaml").write_text(CUSTOMERS)
    file = load(tmp_path, runner="include: ['**/*.yaml']\n" + ORDERS, a="sensors: {}\n")
    assert list(file.config.tables) == ["orders"]


def test_files_outside_of_the_folder_may_be_included(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside, c=CUSTOMERS, d=ORDERS.replace("orders", "items"))
    text = f"include: [{outside}/c.yaml, ../outside/d.yaml]\n" + ORDERS
    file = load(tmp_path / "home", runner=text)
    assert list(file.config.tables) == ["orders", "customers", "items"]
    assert file.resolver("tables", "items")("x").resolve() == outside / "x"


# What is wrong in an included file breaks nothing else.


def test_an_included_file_that_is_no_yaml_is_broken_by_itself(tmp_path: Path) -> None:
    file = read(tmp_path, runner="include: [c.yaml]\n" + ORDERS, c="tables: [\n")
    assert list(file.config.tables) == ["orders"]
    (part,) = file.broken
    assert (part.section, part.name, part.noun) == ("include", "c.yaml", "included file")
    assert place(part.error.problems[0])[0] == "c.yaml"


@pytest.mark.parametrize("text", ["", "- a\n", "text\n"])
def test_an_included_file_must_be_a_mapping(tmp_path: Path, text: str) -> None:
    (part,) = read(tmp_path, runner="include: [c.yaml]\n" + ORDERS, c=text).broken
    assert part.error.problems[0].message == "an included file must be a mapping of sections"


@pytest.mark.parametrize("key", ["lake", "engine", "secrets", "retries", "version", "include"])
def test_what_is_of_everything_stands_in_the_file_that_includes(tmp_path: Path, key: str) -> None:
    file = read(tmp_path, runner="include: [c.yaml]\n" + ORDERS, c=f"{CUSTOMERS}{key}: {{}}\n")
    parts = {(part.section, part.name): part for part in file.broken}
    # Its tables are broken with it: they would be loaded in another way than it says.
    assert set(parts) == {("include", "c.yaml"), ("tables", "customers")}
    (problem,) = parts["tables", "customers"].error.problems
    assert problem.message == f"{key!r} stands in the file that includes, and only there"
    assert (place(problem), problem.action) == (("c.yaml", 5), "move it to runner.yaml")
    assert list(file.config.tables) == ["orders"]


def test_an_unknown_section_of_an_included_file_is_told(tmp_path: Path) -> None:
    file = read(tmp_path, runner="include: [c.yaml]\n" + ORDERS, c="table: {}\n")
    (problem,) = file.broken[0].error.problems
    assert (problem.message, problem.action) == ("unknown key 'table'", "did you mean 'tables'?")


def test_a_name_that_two_files_define_is_broken_and_both_places_are_told(tmp_path: Path) -> None:
    text = "include: [c.yaml]\n" + ORDERS + CUSTOMERS.removeprefix("tables:\n")
    file = read(tmp_path, runner=text, c="# first\n" + ORDERS)
    (part,) = file.broken
    assert (part.section, part.name) == ("tables", "orders")
    assert {place(problem) for problem in part.error.problems} == {
        ("runner.yaml", 3),
        ("c.yaml", 3),
    }
    assert "c.yaml:3:3" in part.error.problems[0].message
    assert list(file.config.tables) == ["customers"]


def test_the_same_name_in_two_included_files_is_broken(tmp_path: Path) -> None:
    text = "include: [a.yaml, b.yaml]\n" + ORDERS
    file = read(tmp_path, runner=text, a=CUSTOMERS, b=CUSTOMERS)
    assert [(part.section, part.name) for part in file.broken] == [("tables", "customers")]
    assert {place(p)[0] for p in file.broken[0].error.problems} == {"a.yaml", "b.yaml"}


def test_anchors_do_not_cross_files(tmp_path: Path) -> None:
    text = "include: [c.yaml]\n" + ORDERS.replace("source: {", "source: &files {")
    file = read(tmp_path, runner=text, c="tables: {c: {contract: c, source: *files}}\n")
    assert "undefined alias" in file.broken[0].error.problems[0].message


def test_all_is_told_where_nothing_may_be_broken(tmp_path: Path) -> None:
    files = {"runner": "include: [a.yaml, b.yaml]\n" + ORDERS, "a": "tables: [\n", "b": "lake: {}"}
    problems = problems_of(RunnerFileError, lambda: load(tmp_path, **files))
    assert {place(problem)[0] for problem in problems} == {"a.yaml", "b.yaml"}


def test_the_file_that_includes_must_be_one_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the file must be a mapping"):
        read(tmp_path, runner="- include\n")

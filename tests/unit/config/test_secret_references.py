"""${secret:NAME} in runner.yaml: where it may stand, and that loading asks nobody."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import SecretStr
from support.problems import only_problem, place, problems_of
from support.runner_text import ORDERS, load_runner_text

from quality_platform.config.secret_models import AnySecrets
from quality_platform.config.secret_text import ConfiguredSecret, SecretReference
from quality_platform.config.source_models import ConnectionConfig
from quality_platform.errors import RunnerFileError, SecretError

UNION = get_args(AnySecrets)[0]


class Answers:
    """A reader that knows these, and counts how often it is asked."""

    def __init__(self, **known: str) -> None:
        self.known = known
        self.asked: list[SecretReference] = []

    def read(self, reference: SecretReference) -> str:
        self.asked.append(reference)
        return self.known[reference.name]


def loaded(folder: Path, text: str, **variables: str):
    return load_runner_text(folder, ORDERS + text, variables)


def url_of(folder: Path, url: str, answers: Answers, **variables: str) -> str:
    runner = loaded(folder, f"connections: {{shop: {{url: '{url}'}}}}\n", **variables)
    runner.secrets.bind(answers)
    assert answers.asked == []
    return runner.config.connections["shop"].url.get_secret_value()


def test_a_reference_is_asked_for_when_it_is_needed_and_each_time(tmp_path: Path):
    answers = Answers(PW="first")
    runner = loaded(tmp_path, "connections: {shop: {url: 'mysql://u:${secret:PW}@h/d'}}\n")
    runner.secrets.bind(answers)
    url = runner.config.connections["shop"].url
    assert url.get_secret_value() == "mysql://u:first@h/d"
    answers.known["PW"] = "second"
    assert url.get_secret_value() == "mysql://u:second@h/d"


def test_secrets_variables_and_text_may_stand_in_one_value(tmp_path: Path):
    url = url_of(
        tmp_path, "${SCHEME}://${secret:U}:${secret:P}@h", Answers(U="u", P="p"), SCHEME="a"
    )
    assert url == "a://u:p@h"


def test_a_secret_with_url_behind_it_is_written_as_a_url_needs_it(tmp_path: Path):
    url = url_of(tmp_path, "a://u:${secret:P|url}@h/${secret:P}", Answers(P="p@s:/ w%"))
    assert url == "a://u:p%40s%3A%2F%20w%25@h/p@s:/ w%"


@pytest.mark.parametrize(
    ("text", "name", "key"),
    [
        ("${secret:DB_PW}", "DB_PW", ""),
        ("${secret:app/db#password}", "app/db", "password"),
        ("${secret:arn:aws:x:eu-1:12:secret:db-aB1}", "arn:aws:x:eu-1:12:secret:db-aB1", ""),
        ("${secret:db#a.b-c}", "db", "a.b-c"),
    ],
)
def test_a_reference_has_a_name_and_may_have_a_field(tmp_path: Path, text, name, key):
    answers = Answers(**{name: "x"})
    assert url_of(tmp_path, text, answers) == "x"
    (reference,) = answers.asked
    assert (reference.name, reference.key, str(reference)) == (name, key, text)
    assert reference.location is not None
    assert (Path(reference.location.file).name, reference.location.line) == ("runner.yaml", 5)
    assert reference.field == "connections.shop.url"


@pytest.mark.parametrize(
    "text",
    ["${secret:}", "${secret: a}", "${secret:a", "${secret:a#}", "${secret:#a}", "${secret:a|hex}",
     "${secret:a b}", "${secret:${A}}"],
)  # fmt: skip
def test_a_reference_that_is_written_wrongly_is_told_with_its_line(tmp_path: Path, text):
    problem = only_problem(
        RunnerFileError, lambda: loaded(tmp_path, f"rate_limits: {{store: 'redis://{text}'}}\n")
    )
    assert place(problem) == ("runner.yaml", 5)
    assert problem.field == "rate_limits.store"
    assert problem.message == "not a reference to a secret"


def test_a_variable_called_secret_is_still_a_variable(tmp_path: Path):
    runner = loaded(tmp_path, "lake: {warehouse: '${secret}/${secret:-x}'}\n", secret="w")
    assert runner.config.lake.warehouse == "w/w"


def test_the_content_of_a_variable_is_never_read_as_a_reference(tmp_path: Path):
    url = url_of(tmp_path, "a://${A}", Answers(), A="${secret:PW}")
    assert url == "a://${secret:PW}"


PLACES = [
    "lake: {warehouse: '${secret:A}'}",
    "lake: {target_file_size: '${secret:A}'}",
    "lake: {catalog: {name: '${secret:A}'}}",
    "lake: {catalog: {type: '${secret:A}'}}",
    "engine: {threads: '${secret:A}'}",
    "feature_store: {registry: '${secret:A}'}",
    "schedules: {s: {cron: '${secret:A}'}}",
    "secrets: {type: vault, address: 'https://h', token: x, mount: '${secret:A}'}",
]


@pytest.mark.parametrize("line", PLACES)
def test_a_secret_stands_only_where_it_is_kept_secret(tmp_path: Path, line):
    problem = only_problem(RunnerFileError, lambda: loaded(tmp_path, f"{line}\n"))
    assert "secret cannot stand here" in problem.message
    assert problem.received == "'${secret:A}'"
    assert place(problem) == ("runner.yaml", 5)


def test_what_opens_the_provider_cannot_come_from_it(tmp_path: Path):
    text = "secrets: {type: vault, address: 'https://h', token: '${secret:A}'}\n"
    problem = only_problem(RunnerFileError, lambda: loaded(tmp_path, text))
    assert (problem.field, place(problem)) == ("secrets.token", ("runner.yaml", 5))
    assert "cannot come from it" in problem.message


SECRETS = """\
connections: {shop: {url: '${secret:URL}'}}
rate_limits: {store: '${secret:REDIS}'}
lake:
  warehouse: s3://lake/here
  catalog:
    type: rest
    uri: '${secret:CATALOG}'
    properties: {credential: 'me:${secret:KEY}', s3.region: eu, s3.port: 9000}
"""
S3 = """\
tables:
  orders:
    contract: orders.odcs.yaml
    source:
      type: csv
      path: s3://b/o.csv
      storage: {access_key_id: '${secret:ID}', secret_access_key: '${secret:KEY}'}
"""


def test_every_secret_of_the_file_may_be_a_reference_and_none_is_asked_for_by_looking(
    tmp_path: Path,
):
    runner = load_runner_text(tmp_path, S3 + SECRETS)
    answers = Answers()
    runner.secrets.bind(answers)
    config = runner.config
    again = load_runner_text(tmp_path, S3 + SECRETS).config
    assert config == again
    storage = config.tables["orders"].source.storage
    assert hash(storage) == hash(again.tables["orders"].source.storage)
    shown = [repr(runner), str(config), config.model_dump_json(), repr(config.model_dump())]
    assert not any("secret:" in text for text in shown[1:])
    assert '"secret_access_key":"**********"' in shown[2]
    assert config.connections["shop"].url
    assert answers.asked == []


def test_secrets_that_differ_in_what_is_written_differ(tmp_path: Path):
    assert ConnectionConfig(url=SecretStr("a")) == ConnectionConfig(url=ConfiguredSecret("a"))
    one, other = ConfiguredSecret("a"), ConfiguredSecret([SecretReference("a")])
    assert one == ConfiguredSecret("a")
    assert one != other
    assert other == copy.copy(other)
    assert not ConfiguredSecret("")


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("rate_limits: {store: 'http://${secret:A}'}", "rate_limits.store"),
        ("lake: {catalog: {type: sql, uri: 'https://${secret:A}'}}", "lake.catalog"),
        ("lake: {catalog: {type: rest, uri: 'sqlite://${secret:A}'}}", "lake.catalog"),
        ("lake: {catalog: {type: glue, uri: '${secret:A}'}, warehouse: 's3://b'}", "lake.catalog"),
    ],
)
def test_what_is_known_of_a_url_is_checked_when_the_file_is_loaded(tmp_path: Path, line, field):
    problem = only_problem(RunnerFileError, lambda: loaded(tmp_path, f"{line}\n"))
    assert problem.field == field


@pytest.mark.parametrize(
    "line",
    [
        "rate_limits: {store: '${secret:A}'}",
        "rate_limits: {store: 'redis${secret:A}'}",
        "lake: {catalog: {type: sql, uri: '${secret:A}'}}",
        "lake: {catalog: {type: rest, uri: 'http${secret:A}'}}",
    ],
)
def test_what_is_not_known_of_a_url_is_not_judged(tmp_path: Path, line):
    assert loaded(tmp_path, f"{line}\n")


def test_a_file_that_is_bound_to_nobody_says_so_and_where(tmp_path: Path):
    runner = loaded(tmp_path, "rate_limits: {store: '${secret:A}'}\n")
    (problem,) = problems_of(SecretError, runner.config.rate_limits.store.get_secret_value)
    assert (place(problem), problem.received) == (("runner.yaml", 5), "${secret:A}")


@pytest.mark.parametrize(
    ("line", "field", "said"),
    [
        ("secrets: {}", "secrets.type", "missing"),
        ("secrets: {type: keepass}", "secrets.type", "no such type"),
        ("secrets: {type: vault}", "secrets.address", "missing"),
        ("secrets: {type: vault, address: 'https://h'}", "secrets", "say one of"),
        ("secrets: {type: vault, address: 'https://h', role_id: a}", "secrets", "belong together"),
        ("secrets: {type: vault, address: 'https://u:p@h', token: a}", "secrets.address", "match"),
        ("secrets: {type: gcp, project: p, ttl: soon}", "secrets.ttl", "whole number"),
        ("secrets: {type: aws, timeout: 0s}", "secrets.timeout", "at least 1s"),
        ("secrets: {type: azure, vault_url: 'http://h'}", "secrets.vault_url", "match"),
        ("secrets: {type: files, foldr: x}", "secrets.foldr", "unknown key"),
    ],
)
def test_a_provider_that_cannot_be_used_is_told_when_the_file_is_loaded(
    tmp_path: Path, line, field, said
):
    problem = only_problem(RunnerFileError, lambda: loaded(tmp_path, f"{line}\n"))
    assert problem.field == field
    assert said in problem.message
    assert place(problem) == ("runner.yaml", 5)


def test_the_page_about_secrets_names_every_provider_and_every_error():
    page = (Path(__file__).parents[3] / "docs" / "secrets.md").read_text(encoding="utf-8")
    kinds = [get_args(model.model_fields["type"].annotation)[0] for model in get_args(UNION)]
    assert re.findall(r"^\| `(\w+)`", page, re.MULTILINE) == kinds
    errors = {SecretError, *SecretError.__subclasses__()}
    assert set(re.findall(r"^\| (QP\d+)", page, re.MULTILINE)) == {e.code for e in errors}

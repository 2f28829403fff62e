"""The command line: what it understands, and what it says to what it does not."""

from __future__ import annotations

import functools
import inspect
import re

import pytest

from twofold import api, cli
from twofold.cli import main
from twofold.errors import UserError


def given_to(monkeypatch, arguments):
    """The keyword arguments that the verb is called with."""
    seen = {}

    @functools.wraps(getattr(api, arguments[0]))
    def verb(**given):
        seen.update(given)

    monkeypatch.setitem(cli._VERBS, arguments[0], verb)
    cli.parse(arguments)()
    return seen


def test_options_reach_the_verb_with_their_types(monkeypatch):
    given = given_to(
        monkeypatch,
        ["pretrain", "moco+co2", "photos", "--batch-size", "64", "--lr=0.1", "--quiet", "--no-report",
         "--method.queue", "100", "--method.key-bn", "plain", "--method.co2.weight=2", "--milestones", "[3,4]"],
    )  # fmt: skip
    assert given["method"] == "moco+co2" and given["data"] == "photos"
    assert given["batch_size"] == 64 and given["lr"] == 0.1 and given["milestones"] == [3, 4]
    assert given["quiet"] is True and given["report"] is False
    assert given["method_options"] == {"queue": "100", "key_bn": "plain", "co2.weight": "2"}
    assert given["seed"] == 0 and given["epochs"] is None


def test_lists_and_optional_positionals(monkeypatch):
    assert given_to(monkeypatch, ["report", "a", "b", "--out", "c.html"]) == {"runs": ["a", "b"], "out": "c.html"}
    assert given_to(monkeypatch, ["methods", "moco"]) == {"name": "moco"}


def test_a_configuration_gives_options_and_the_command_line_goes_over_it(monkeypatch, tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("method: moco\ndata: photos\nepochs: 3\nmethod_options: {moco.queue: 64}\n")
    given = given_to(monkeypatch, ["pretrain", "--config", str(file), "--epochs", "5", "--method.temperature", "0.3"])
    assert (given["method"], given["data"], given["epochs"]) == ("moco", "photos", 5)
    assert given["method_options"] == {"moco.queue": 64, "temperature": "0.3"}
    given = given_to(monkeypatch, ["pretrain", "byol", "others", "--config", str(file)])
    assert (given["method"], given["data"], given["epochs"]) == ("byol", "others", 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pretrian"], 'no command "pretrian". Did you mean "pretrain"?'),
        (["pretrain", "simclr"], "pretrain needs DATA"),
        (["pretrain", "simclr", "d", "e"], '"e" is one argument too many'),
        (["pretrain", "simclr", "d", "--epohs", "3"], 'no option --epohs. Did you mean "--epochs"?'),
        (["pretrain", "simclr", "d", "--epohs=3"], 'no option --epohs. Did you mean "--epochs"?'),
        (["pretrain", "simclr", "d", "--epochs", "x"], "--epochs takes a whole number or none, not 'x'"),
        (["pretrain", "simclr", "d", "--recipe", "c"], "simclr has no recipe c; it has imagenet, cifar"),
        (["pretrain", "simclr", "d", "--method.queue"], "--method.queue needs a value"),
        (["embed", "a", "b", "--method.queue", "3"], "belongs to pretrain, not to embed"),
        (["pretrain", "--config", "nowhere.yaml"], '"nowhere.yaml" cannot be read: No such file'),
    ],
)
def test_what_is_not_understood_is_answered_in_one_sentence(arguments, said, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("twofold: ") and error.count("\n") == 1
    assert said in error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("method: simclr\ndata: d\nepohs: 3\n", 'unknown key "epohs". Did you mean "epochs"?'),
        ("method: simclr\ndata: d\nepochs: many\n", "--epochs takes a whole number or none, not 'many'"),
        ("a: [", "is not YAML"),
        ("- 1\n", "is not a mapping"),
    ],
)
def test_broken_configurations(text, said, tmp_path, capsys):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    assert main(["pretrain", "--config", str(file)]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


@pytest.mark.parametrize("verb", [verb.__name__ for verb in api.VERBS])
def test_help_names_every_option_and_shows_examples(verb, capsys):
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    for name, parameter in inspect.signature(getattr(api, verb)).parameters.items():
        positional = parameter.default is parameter.empty
        assert (name if positional else f"--{name.replace('_', '-')}") in shown
    assert f"twofold {verb}" in shown.split("examples:")[1]
    for example in re.findall(r"^ +twofold (\S.*)$", shown.split("examples:")[1], re.MULTILINE):
        words = example.split()
        if "--config" not in words:
            cli.parse(words)


def test_overview_and_version(capsys):
    assert main([]) == 0 and main(["--help"]) == 0 and main(["--version"]) == 0
    shown = capsys.readouterr().out
    assert all(verb.__name__ in shown for verb in api.VERBS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epochs": 0}, "--epochs must be at least 1"),
        ({"epochs": 3, "steps": 3}, "Give --epochs or --steps, not both"),
        ({"max_unreadable": 1.5}, "is a share: at most 1"),
        ({"lr": float("nan")}, "--lr must be above 0"),
    ],
)
def test_numbers_that_cannot_be_meant(given, said):
    with pytest.raises(UserError) as caught:
        api.pretrain("simclr", "photos", **given)
    assert said in str(caught.value)

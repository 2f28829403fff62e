"""The command line: what it understands, and what it says to what it does not."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

import twofold
from twofold import cli, usage, wings
from twofold.cli import main
from twofold.commands import COMMANDS, Command
from twofold.errors import UserError
from twofold.images.options import Pretrain


def given_to(monkeypatch, arguments):
    """The values that the verb is called with."""
    seen = {}
    monkeypatch.setattr(Command, "call", lambda self, values: seen.update(values))
    cli.parse(arguments)()
    return seen


@pytest.mark.parametrize("value", ["-1,1", "-2", "-.5", "-1e3"])
def test_numbers_below_0_are_values_and_no_options(monkeypatch, value):
    given = given_to(monkeypatch, ["pretrain", "sac", "Pendulum-v1", "--action_range", value, "--reward-shift", "-1"])
    assert given == {"method": "sac", "data": "Pendulum-v1", "action_range": value, "reward_shift": "-1"}


def test_options_reach_the_verb_by_name(monkeypatch):
    given = given_to(
        monkeypatch,
        ["pretrain", "moco+co2", "photos", "--batch-size", "64", "--lr=0.1", "--quiet", "--no-report",
         "--method.queue", "100", "--method.key-bn", "plain", "--method.co2.weight=2", "--milestones", "[3,4]",
         "--image_size", "32", "--compile", "false"],
    )  # fmt: skip
    assert given.pop("method") == "moco+co2" and given.pop("data") == "photos"
    assert given["method_options"] == {"queue": "100", "key_bn": "plain", "co2.weight": "2"}
    options = Pretrain(**given)
    assert (options.batch_size, options.lr, options.milestones, options.image_size) == (64, 0.1, [3, 4], 32)
    assert options.quiet is True and options.report is False and options.compile is False
    assert options.seed == 0 and options.epochs is None


@pytest.mark.parametrize(
    ("words", "report"),
    [
        (["--report=no"], False), (["--report", "off"], False), (["--no-report"], False),
        (["--report=yes"], True), (["--report"], True), (["--report", "true"], True),
    ],
)  # fmt: skip
def test_a_switch_is_on_or_off_as_it_is_typed(monkeypatch, words, report):
    assert given_to(monkeypatch, ["pretrain", "moco", "photos", *words])["report"] is report


def test_lists_and_optional_positionals(monkeypatch):
    assert given_to(monkeypatch, ["report", "a", "b", "--out", "c.html"]) == {"runs": ["a", "b"], "out": "c.html"}
    assert given_to(monkeypatch, ["methods", "moco"]) == {"name": "moco"}
    assert given_to(monkeypatch, ["methods"]) == {}


def test_a_number_below_zero_is_a_value(monkeypatch):
    assert given_to(monkeypatch, ["pretrain", "sgl", "d", "--min-weight", "-1"])["min_weight"] == "-1"


def test_a_configuration_gives_options_and_the_command_line_goes_over_it(monkeypatch, tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("method: moco\ndata: photos\nepochs: 3\nmethod_options: {moco.queue: 64}\n")
    given = given_to(monkeypatch, ["pretrain", "--config", str(file), "--epochs", "5", "--method.temperature", "0.3"])
    assert (given["method"], given["data"], given["epochs"]) == ("moco", "photos", "5")
    assert given["method_options"] == {"moco.queue": 64, "temperature": "0.3"}
    given = given_to(monkeypatch, ["pretrain", "byol", "others", "--config", str(file)])
    assert (given["method"], given["data"], given["epochs"]) == ("byol", "others", 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretrian"], 'no command "pretrian". Did you mean "pretrain"?'),
        (["pretrain", "simclr"], "pretrain needs DATA"),
        (["report"], "report needs RUNS"),
        (["pretrain", "simclr", "d", "e"], '"e" is one argument too many'),
        (["pretrain", "simclr", "d", "--epohs", "3"], 'no option --epohs. Did you mean "--epochs"?'),
        (["pretrain", "simclr", "d", "--epohs=3"], 'no option --epohs. Did you mean "--epochs"?'),
        (["pretrain", "simclr", "d", "--epochs"], "--epochs needs a value"),
        (["pretrain", "simclr", "d", "--report=maybe"], "--report takes true or false, not 'maybe'"),
        (["pretrain", "simclr", "d", "--no-report=true"], "--no-report takes no value"),
        (["pretrain", "simclr", "d", "--method-options", "{}"], "no option --method-options"),
        (["compare", "moco,nope", "--help"], 'no method "nope"'),
        (["pretrain", "simclr", "d", "--epochs", "x"], "--epochs takes a whole number or none, not 'x'"),
        (["pretrain", "simclr", "d", "--recipe", "c"], "simclr has no recipe c; it has imagenet, cifar"),
        (["pretrain", "simclr", "d", "--kind", "imags"], 'no kind of data "imags". Did you mean "images"?'),
        (["pretrain", "simclr", "d", "--kind", "interactions"], "simclr learns from images"),
        (["pretrain", "simclr", "d", "--method.queue"], "--method.queue needs a value"),
        (["embed", "a", "b", "--method.queue", "3"], "belongs to pretrain and check, not to embed"),
        (["pretrain", "--config", "nowhere.yaml"], '"nowhere.yaml" cannot be read: No such file'),
    ],
)
def test_what_is_not_understood_is_answered_in_one_sentence(arguments, message, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("twofold: ") and error.count("\n") == 1
    assert message in error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: simclr\ndata: d\nepohs: 3\n", 'unknown key "epohs". Did you mean "epochs"?'),
        ("method: simclr\ndata: d\nepochs: many\n", "--epochs takes a whole number or none, not 'many'"),
        ("a: [", "is no YAML of"),
        ("- 1\n", "holds no settings"),
        ("", "holds no settings"),
        ("1: 2\n", "holds no settings"),
        ("a: &a [1]\nb: *a\n", "it holds references; write each value out"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("seed: 1\n" * 100_000, "bytes, and at most 262,144 are expected"),
        ("method: 3\ndata: d\n", "A method is given by its name, such as moco, not as 3"),
        ("method: [moco]\ndata: d\n", "A method is given by its name, such as moco, not as ['moco']"),
        ("method: simclr\ndata: 0.5\n", "data is to be a path, or images that are there"),
        ("method: simclr\ndata: d\nkind: 3\n", 'There is no kind of data "3"'),
        (f"method: simclr\ndata: d\nseed: {10**30}\n", "--seed takes a whole number of at most 64 bits"),
        (f"method: simclr\ndata: d\nlr: {'9' * 400}\n", "--lr takes a number or none, not 999"),
        ("method: simclr\ndata: d\nlr: .inf\n", "--lr must be a finite number"),
    ],
)
def test_broken_configurations(text, message, tmp_path, capsys):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    assert main(["pretrain", "--config", str(file)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_every_option_somewhere_and_examples_that_can_be_given(name, capsys):
    command = COMMANDS[name]
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    usual = [wing.usual for wing in wings.WINGS if name in wing.verbs] if command.about_methods else []
    everywhere = shown + "".join(usage.of(command, method) for method in usual)
    for option in command.options.values():
        assert option.meaning and usage.typed(option).split()[0] in everywhere
    assert all(subject.upper() in shown for subject in command.subjects)
    assert f"twofold {name}" in shown.split("examples:")[1]
    for example in command.examples:
        words = shlex.split(example)[1:]
        if "--config" not in words:
            cli.parse(words)


@pytest.mark.parametrize(
    "words",
    [
        ["pretrain"],
        ["pretrain", "moco"],
        ["pretrain", "sgl"],
        ["compare"],
        ["evaluate"],
        ["check", "d", "--method", "sgl"],
    ],
)
def test_help_is_in_words_a_person_types(words, capsys):
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    assert not re.search(r"Literal|null|None|milestones\+|Union|\bdict\b", shown)
    assert "--no-report" in shown or "pretrain" not in words
    assert max(map(len, shown.splitlines())) <= usage.WIDTH


def test_the_help_of_pretrain_fits_a_screen_and_names_every_method(capsys):
    assert main(["pretrain", "--help"]) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) <= 60
    assert all(re.search(rf"\b{re.escape(name)}\b", shown) for name in wings.catalog().systems)
    assert all(f"for {wing.kind} (" in shown for wing in wings.WINGS)


def test_the_help_of_a_method_has_its_settings_and_those_of_its_kind(capsys):
    assert main(["pretrain", "moco+co2", "--help"]) == 0
    moco = capsys.readouterr().out.split("examples:")[0]
    assert main(["pretrain", "sgl", "--help"]) == 0
    sgl = capsys.readouterr().out.split("examples:")[0]
    assert "--image-size" in moco and "--user-column" not in moco and "settings of co2" in moco and "key_bn" in moco
    assert "--user-column" in sgl and "--image-size" not in sgl and "augmentation" in sgl


def test_completion_knows_commands_options_and_methods(tmp_path, capsys):
    assert main(["completion"]) == 0
    script = capsys.readouterr().out
    ask = "COMP_WORDS=(twofold {}); COMP_CWORD={}; _twofold; echo ${{COMPREPLY[@]}}"
    asked = {
        "pre": {"pretrain", "prepare"},
        "pretrain wmse": {"wmse", "wmse4"},
        "pretrain moco x --epo": {"--epochs"},
        "pretrain moco+c": {"moco+co2", "moco+cstp"},
        "pretrain rainbow+cu": {"rainbow+curl"},
        "compare sgl,light": {"sgl,lightgcn"},
        "methods barl": {"barlow"},
        "check d --method popu": {"popularity"},
        "pretrain moco x --optimizer adam": {"adam", "adamw"},
        "pretrain moco x --conf": {"--config"},
    }
    lines = [script, *(ask.format(words, len(words.split())) for words in asked)]
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True)
    assert [set(line.split()) for line in done.stdout.splitlines()] == list(asked.values())


ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; autoload -U compinit bashcompinit; compinit -u -D; bashcompinit; eval "$(cat script)"; echo READY'
while zpty -r shell line; do [[ $line == READY* ]] && break; done
zpty -n -w shell $1$'\\t'
sleep 1
zpty -n -w shell $'\\x15'"echo 'DO''NE'"$'\\n'
while zpty -r shell line; do print -r -- $line; [[ $line == *DONE* ]] && break; done
"""


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("twofold pretr", "twofold pretrain"),
        ("twofold pretrain moco+co", "moco+co2"),
        ("twofold compare sgl,light", "sgl,lightgcn"),
        ("twofold pretrain moco x --recip", "--recipe"),
    ],
)
def test_completion_in_a_real_zsh(tmp_path, capsys, typed, completed):
    assert main(["completion"]) == 0
    (tmp_path / "script").write_text(capsys.readouterr().out)
    done = subprocess.run(
        ["zsh", "-f", "-c", ZSH, "zsh", typed],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        errors="replace",
    )
    assert completed in done.stdout, done


def test_overview_and_version(capsys):
    assert main([]) == 0 and main(["--help"]) == 0 and main(["--version"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0}, "--epochs must be at least 1"),
        ({"epochs": 3, "steps": 3}, "Give --epochs or --steps, not both"),
        ({"lr": 0.1, "base_lr": 0.1}, "Give --base-lr or --lr, not both"),
        ({"max_unreadable": 1.5}, "is a share: at most 1"),
        ({"lr": float("nan")}, "--lr must be a finite number"),
        ({"stem": "cifr"}, "--stem takes one of auto, cifar, stl, imagenet, not 'cifr'"),
        ({"epoch": 3}, 'no option --epoch. Did you mean "--epochs"?'),
        ({"user_column": "u"}, "--user-column belongs to interactions, and simclr learns from images"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_in_python_too(given, message):
    with pytest.raises(UserError) as caught:
        twofold.pretrain("simclr", "photos", **given)
    assert message in str(caught.value)


def test_options_may_be_a_record_of_the_wing():
    with pytest.raises(UserError, match="nowhere"):
        twofold.pretrain("simclr", "nowhere", twofold.images.Pretrain(epochs=3))
    with pytest.raises(UserError, match=r"takes a twofold\.images\.Pretrain, not a twofold\.interactions\.Pretrain"):
        twofold.pretrain("simclr", "nowhere", twofold.interactions.Pretrain())
    with pytest.raises(UserError, match="as one record or by name, not both"):
        twofold.pretrain("simclr", "nowhere", twofold.images.Pretrain(), epochs=3)
    with pytest.raises(UserError, match="--seeds must be at least 1"):
        replace(twofold.images.Compare(), seeds=0)


@pytest.mark.parametrize("options", ["runs/x", {"epochs": 1}])
def test_options_of_another_type_are_refused(options):
    for call in (twofold.pretrain, twofold.check, twofold.compare):
        arguments = ("d", options) if call is twofold.check else ("moco", "d", options)
        with pytest.raises(UserError, match=r"takes options by name, as epochs=100, or as a twofold\.images\."):
            call(*arguments)


def test_data_is_a_path_of_any_type_or_images(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        twofold.check(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"python:ndarray has shape \[2, 3\]; images are \(n, H, W\)"):
        twofold.pretrain("moco", np.zeros((2, 3)), out=tmp_path / "run", batch_size=2, backbone="convnet")
    with pytest.raises(UserError, match="model is to be a path, not a int"):
        twofold.embed(3, "photos")


def test_the_module_lists_its_verbs():
    assert {"pretrain", "compare", "images", "interactions"} <= set(dir(twofold))

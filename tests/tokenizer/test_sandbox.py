"""The sandbox of chat templates: nothing of Python's within reach, nothing without bounds, nothing that differs next time."""

from __future__ import annotations

import pytest

from tokenizer.sandbox import BadTemplate, Refused, Sandbox

ESCAPES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ ''['__class__'] }}",
    "{{ '' | attr('__class__') }}",
    "{{ messages | map(attribute='__class__') | list }}",
    "{{ cycler.__init__.__globals__['os'].popen('id').read() }}",
    "{{ raise_exception.__globals__ }}",
    "{{ '{0.__class__}'.format('') }}",
    "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
    "{{ messages.append(1) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os.getcwd() }}",
]
BOMBS = [
    "{{ 'x' * 10**9 }}",
    "{{ [0] * 10**9 }}",
    "{{ 10 ** (10 ** 9) }}",
    "{{ '%1000000000s' % 1 }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ 'x' | center(1000000000) }}",
    "{{ 'x'.ljust(1000000000) }}",
    "{{ '%1000000000d' | format(1) }}",
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "{% set ns = namespace(x='aaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='aaaa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% for i in range(1000) %}{{ 'x' * 1000000 }}{% endfor %}",
    "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
]


def rendered(source: str) -> str:
    return Sandbox(source, "test").render({"messages": [{"role": "user", "content": "a"}]}).text


@pytest.mark.parametrize("source", [*ESCAPES, *BOMBS])
def test_what_no_template_may(source: str) -> None:
    with pytest.raises(BadTemplate, match="test"):
        rendered(source)


@pytest.mark.parametrize("source", ["{% if %}", "{{ a", "{% generation %}", "{% nothing %}"])
def test_no_jinja(source: str) -> None:
    with pytest.raises(BadTemplate, match="line 1"):
        rendered(source)


@pytest.mark.parametrize(
    "source", ["{{ raise_exception('roles must alternate') }}", "{{ messages[7].content }}", "{{ lipsum() }}", "{{ 1 / 0 }}"]
)
def test_what_a_template_refuses_is_the_conversations_matter(source: str) -> None:
    with pytest.raises(Refused):
        rendered(source)


def test_what_templates_use() -> None:
    source = (
        "{% for m in messages %}\n  {{ m.role }}{% break %}\n{% endfor %}\n{{ {'a': '<é>'} | tojson }} {{ '%s' % 1 }} {{ [3, 1] | sort }}"
    )
    assert rendered(source) == '  user{"a": "<é>"} 1 [1, 3]'


def test_the_date_stands_still() -> None:
    assert rendered("{{ strftime_now('%d %b %Y') }}") == "26 Jul 2024"


def test_generations_are_told() -> None:
    source = "<{% generation %}ab{% endgeneration %}>{% set x %}{% generation %}c{% endgeneration %}{% endset %}{{ x }}"
    found = Sandbox(source, "test").render({})
    assert (found.text, found.spans) == ("<ab>c", [(1, 3), (4, 5)])


def test_generations_that_lie_in_one_another() -> None:
    with pytest.raises(Refused, match="within another"):
        rendered("{% generation %}a{% generation %}b{% endgeneration %}{% endgeneration %}")

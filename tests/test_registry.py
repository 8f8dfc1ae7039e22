from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from molae.errors import ConfigError, RegistryError
from molae.registry import Config, Registry, nearest, validate


class Settings(Config):
    width: int = Field(default=4, gt=0)
    name_of_thing: str = "x"


@pytest.fixture
def registry():
    made = Registry("widget")

    @made.register("plain", Settings)
    class Plain:
        def __init__(self, config, *args, **kwargs):
            self.config, self.args, self.kwargs = config, args, kwargs

    return made


def test_build_gives_the_component_its_configuration_and_arguments(registry):
    built = registry.build({"name": "plain", "width": 7}, 1, two=2)
    assert built.config == Settings(width=7)
    assert (built.args, built.kwargs) == ((1,), {"two": 2})


def test_names_can_be_listed(registry):
    assert list(registry) == ["plain"]


def test_build_leaves_the_values_as_they_are(registry):
    values = {"name": "plain"}
    registry.build(values)
    assert values == {"name": "plain"}


@pytest.mark.parametrize(("name", "hint"), [("plai", "did you mean 'plain'"), (None, "known: plain")])
def test_an_unknown_name_is_refused_with_a_hint(registry, name, hint):
    with pytest.raises(RegistryError, match=f"no widget is called.*{hint}"):
        registry.build({"name": name})


def test_an_unknown_key_is_refused_naming_the_section_and_the_nearest(registry):
    with pytest.raises(ConfigError, match=r"'widt' in \[widget\.plain\]: did you mean 'width'"):
        registry.build({"name": "plain", "widt": 3})


def test_a_value_that_does_not_fit_is_refused_with_the_value(registry):
    with pytest.raises(ConfigError, match=r"\[widget\.plain\] width: .*greater than 0, got -1"):
        registry.build({"name": "plain", "width": -1})


def test_a_name_is_registered_once(registry):
    with pytest.raises(RegistryError, match="registered twice"):
        registry.register("plain", Settings)(object)


def test_configurations_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().width = 5


def test_where_nothing_is_known_the_hint_says_so():
    assert nearest("zzz", []) == "none is known"
    with pytest.raises(RegistryError, match="no widget is called 'x': none is known"):
        Registry("widget").build({"name": "x"})


def test_far_words_are_answered_with_all_that_is_known():
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    with pytest.raises(ConfigError, match="known: name_of_thing, width"):
        validate(Settings, {"zzz": 1}, "here")

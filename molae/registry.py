"""Components by name: one registry per kind, each entry a class with its configuration class."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from molae.errors import ConfigError, RegistryError

T = TypeVar("T")


class Config(BaseModel):
    """Base of every configuration: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def nearest(word: str, known: list[str]) -> str:
    """Names the known word nearest to `word`, or else all that are known, as the end of an error message."""
    if not known:
        return "none is known"
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"


def validate(config: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """Builds a configuration from plain values.

    Args:
        config: Configuration class.
        values: Plain values, as read from TOML or JSON.
        where: Name of the section, for the error message.
    Returns:
        The validated configuration.
    Raises:
        ConfigError: If a key is unknown (naming the nearest valid one) or a value does not fit.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"[{where}]: expected a table of keys and values, got {values!r:.100}")
    unknown = [key for key in values if key not in config.model_fields]
    if unknown:
        hint = nearest(unknown[0], list(config.model_fields))
        raise ConfigError(f"unknown key {unknown[0]!r} in [{where}]: {hint}")
    try:
        return config(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"[{where}] {key}: {first['msg']}, got {first['input']!r}") from error


class Registry(Generic[T]):
    """Maps names to classes of one kind, each with its configuration class.

    A component registers itself where it is defined:

        @ENCODERS.register("canonical", CanonicalConfig)
        class CanonicalEncoder(nn.Module): ...
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, tuple[type[T], type[Config]]] = {}

    def register(self, name: str, config: type[Config]) -> Callable[[type[T]], type[T]]:
        """Decorates a class so that `build` finds it under `name`."""

        def add(component: type[T]) -> type[T]:
            if name in self._entries:
                raise RegistryError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = (component, config)
            return component

        return add

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def config(self, values: Mapping[str, Any]) -> Config:
        """Validates `values`, whose key `name` picks the component."""
        values = dict(values)
        name = values.pop("name", None)
        _, config = self._entry(name)
        return validate(config, values, f"{self.kind}.{name}")

    def build(self, values: Mapping[str, Any], *args: Any, **kwargs: Any) -> T:
        """Builds the component that `values["name"]` picks, from its validated configuration.

        Args:
            values: Plain values with the key `name` and the component's own keys.
            *args: Passed on to the component after its configuration.
            **kwargs: Likewise.
        Returns:
            The component.
        Raises:
            RegistryError: If no component has that name.
            ConfigError: If a key is unknown or a value does not fit.
        """
        component, _ = self._entry(values.get("name"))
        return component(self.config(values), *args, **kwargs)  # type: ignore[call-arg]

    def _entry(self, name: Any) -> tuple[type[T], type[Config]]:
        if not isinstance(name, str) or name not in self._entries:
            hint = nearest(str(name), list(self._entries))
            raise RegistryError(f"no {self.kind} is called {name!r}: {hint}")
        return self._entries[name]

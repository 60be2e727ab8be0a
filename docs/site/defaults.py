"""Shows the default of a policy's parameter, instead of the call that declares the parameter."""

import dataclasses
import importlib

import griffe


class Defaults(griffe.Extension):
    """Replaces `parameter(DEFAULT, ...)` by DEFAULT, and what a helper makes by its value."""

    def on_attribute_instance(self, *, attr, **_):
        """Look at the value of an attribute."""
        value = attr.value
        if not isinstance(value, griffe.ExprCall):
            return
        name = str(value.function)
        if name == "parameter":
            attr.value = value.arguments[0]
        elif name.endswith("_parameter"):
            owner = getattr(importlib.import_module(attr.module.path), attr.parent.name)
            defaults = {field.name: field.default for field in dataclasses.fields(owner)}
            attr.value = repr(defaults[attr.name])

"""Shows the default of a policy's parameter, instead of the call that declares the parameter."""

import griffe


class Defaults(griffe.Extension):
    """Replaces `parameter(DEFAULT, ...)` by DEFAULT."""

    def on_attribute_instance(self, *, attr, **_):
        """Look at the value of an attribute."""
        value = attr.value
        if isinstance(value, griffe.ExprCall) and str(value.function) == "parameter":
            attr.value = value.arguments[0]

"""What a user is told when something is refused."""

import pytest

from ventral.errors import InputError


def message(function, *arguments, **options) -> str:
    """Return the message of the error that a call ends in."""
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)

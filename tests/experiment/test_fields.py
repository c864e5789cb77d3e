"""Field types of configs, and checks of them."""

from typing import Annotated

import pytest
from pydantic import ValidationError, model_validator

from feedrun.experiment.fields import Config, Count, OneOrMany, multiple_of, one_of


class Net(Config):
    width: Count
    heads: Count
    names: Annotated[OneOrMany, one_of(["softmax", "slay"], "attention")]
    _heads = model_validator(mode="after")(multiple_of("width", "heads"))


def test_one_name_is_a_list_in_the_config_and_a_word_in_the_record():
    net = Net(width=4, heads=2, names="slay")  # pyright: ignore
    assert net.names == ["slay"]
    assert net.model_dump(mode="json")["names"] == "slay"


def test_several_names_stay_a_list():
    net = Net(width=4, heads=2, names=["slay", "softmax"])
    assert net.model_dump(mode="json")["names"] == ["slay", "softmax"]


@pytest.mark.parametrize("names", [[], "sofmax", ["slay", "x"]])
def test_names_that_are_not_there_are_refused(names):
    with pytest.raises(ValidationError):
        Net(width=4, heads=2, names=names)


def test_heads_that_do_not_divide_the_width_are_refused_with_both_numbers():
    with pytest.raises(ValidationError, match="width 5 is not a multiple of heads 2"):
        Net(width=5, heads=2, names=["slay"])

"""Code of the user's own is found by its file, loaded anew when it changes, and its mistakes are one line."""

import os

import pytest

from sintonia.core.errors import ConfigError, InputError
from sintonia.core.own_code import defined_in, module_of_text, own_module, own_object

CODE = """
from collections import OrderedDict


def double(value):
    return 2 * value


class Model:
    pass
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


def test_a_function_of_a_file_and_of_a_module_are_found(file):
    assert own_object(f"{file}:double", "families", "function", "my_family")(21) == 42
    assert own_object("math:sqrt", "families", "function", "my_family")(9) == 3


def test_what_a_file_imports_is_not_its_own(file):
    module = own_module(str(file), "model.name", "MyModel")
    assert [value.__name__ for value in defined_in(module, "class")] == ["Model"]
    assert [value.__name__ for value in defined_in(module, "function")] == ["double"]


def test_a_file_that_changed_is_loaded_anew(file):
    before = own_object(f"{file}:double", "families", "function", "my_family")
    file.write_text(CODE.replace("2 * value", "3 * value"))
    os.utime(file, ns=(0, before.__code__.co_firstlineno))
    assert own_object(f"{file}:double", "families", "function", "my_family")(1) == 3


@pytest.mark.parametrize(
    ("reference", "error", "message"),
    [
        ("double", ConfigError, "names no function; write folder/file.py:my_family"),
        ("{file}:doubel", ConfigError, "has no function 'doubel'; did you mean 'double'"),
        ("{folder}/none.py:double", InputError, "no file"),
        ("no_such_module_here:double", InputError, "no module 'no_such_module_here' is installed"),
    ],
)
def test_a_wrong_reference_names_what_is_right(file, reference, error, message):
    with pytest.raises(error, match=message):
        own_object(reference.format(file=file, folder=file.parent), "families", "function", "my_family")


def test_a_file_that_cannot_be_loaded_says_why_in_one_line(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("import no_such_package_anywhere\n")
    with pytest.raises(ConfigError, match="cannot be loaded: ModuleNotFoundError") as error:
        own_object(f"{path}:double", "families", "function", "my_family")
    assert "\n" not in str(error.value)


def test_a_text_of_python_is_a_module():
    assert module_of_text("answer = 42", "own_model").answer == 42
    with pytest.raises(ConfigError, match="'broken_model' cannot be loaded: SyntaxError"):
        module_of_text("answer =", "broken_model")

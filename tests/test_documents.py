"""Files that people write are understood completely, or refused with a sentence."""

import json
from pathlib import Path
from typing import Self

import pytest
from pydantic import BaseModel, ConfigDict, model_validator

from orchestrator.documents import load, read
from orchestrator.errors import InputError


class Room(BaseModel):
    model_config = ConfigDict(extra="forbid")
    doors: int = 1


class House(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    rooms: tuple[Room, ...] = ()
    garage: Room | None = None

    @model_validator(mode="after")
    def _has_no_third_room(self) -> Self:
        if len(self.rooms) > 2:
            raise ValueError("a house of three rooms is none")
        return self


def written(folder: Path, text: str, *, name: str = "house.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_and_json_are_read_alike(tmp_path: Path) -> None:
    document = {"name": "h", "rooms": [{"doors": 2}]}

    for path in (
        written(tmp_path, "{name: h, rooms: [{doors: 2}]}"),
        written(tmp_path, json.dumps(document, indent="\t"), name="house.json"),
    ):
        assert load(path, House, "plan") == House(name="h", rooms=(Room(doors=2),))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{rooms: []}", "name is missing"),
        ("{nme: h}", "there is no key 'nme'; did you mean 'name'?\n"),
        ("{name: h, cellar: 1}", "there is no key 'cellar'; there may be name, rooms, garage.\n"),
        ("{name: h, rooms: [{}, {door: 1}]}", "no key 'rooms.1.door'; did you mean 'doors'?"),
        ("{name: h, garage: {x: 1}}", "no key 'garage.x'; there may be doors"),
        ("{name: h, rooms: [{doors: many}]}", "rooms.0.doors cannot be 'many': input should be"),
        ("[h]", "it cannot be ['h']: keys and values belong there"),
        ("", "it is empty: keys and values belong there"),
        ("{name: h, rooms: [null]}", "rooms.0 is empty: keys and values belong there"),
        ("{name: h, rooms: [{}, {}, {}]}", "is wrong: a house of three rooms is none"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(InputError) as refusal:
        load(path, House, "plan")

    assert str(refusal.value).startswith(f"The plan {str(path)!r} is wrong: ")
    assert says in f"{refusal.value}\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("h.yaml", "name: ["),
        ("h.yaml", "name: *nobody"),
        ("h.yaml", "since: 2024-13-45"),
        ("h.yaml", "name: !!python/object/apply:os.getcwd []"),
        ("h.yaml", "? [a, b]\n: c"),
        ("h.yaml", "[" * 1000),
        ("h.json", "name: []"),
        ("h.json", "[" * 100_000),
    ],
)
def test_what_cannot_be_parsed_is_refused_in_one_line(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(InputError, match=r"The plan .* cannot be parsed: ") as refusal:
        read(written(tmp_path, text, name=name), "plan")

    assert "\n" not in str(refusal.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "house.yaml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InputError, match="cannot be parsed"):
        read(path, "plan")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read the plan .*No such file"):
        read(tmp_path / "nowhere.yaml", "plan")


@pytest.mark.parametrize(
    ("name", "text"),
    [("h.yaml", "name: a\nname: b"), ("h.json", '{"rooms": [{"name": 1, "name": 2}]}')],
)
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(InputError, match="the key 'name' stands twice"):
        read(written(tmp_path, text, name=name), "plan")


def test_a_merged_key_may_be_overridden(tmp_path: Path) -> None:
    path = written(tmp_path, "rooms: [&r {doors: 1, name: n}, {<<: *r, doors: 2}]")

    assert read(path, "plan") == {"rooms": [{"doors": 1, "name": "n"}, {"doors": 2, "name": "n"}]}


@pytest.mark.parametrize(
    "bomb",
    [
        "\n".join(
            ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
        ),
        "a: &a {b: [*a]}",
    ],
)
def test_aliases_that_explode_are_refused_before_they_do(tmp_path: Path, bomb: str) -> None:
    with pytest.raises(InputError, match="holds more than 100,000 values"):
        read(written(tmp_path, bomb), "plan")

"""Objects found by their keys, also after they changed or went."""

from emulator.indexed import Indexed


def test_keys_follow_changes() -> None:
    items = Indexed(colour=lambda _, item: item["colour"])
    items["a"] = {"colour": "red"}
    items["b"] = {"colour": "red"}
    items["a"] = {"colour": "blue"}
    assert list(items.where("colour", "red")) == [{"colour": "red"}]
    assert items.values_of("colour") == {"red", "blue"}
    del items["b"]
    assert list(items.where("colour", "red")) == []
    assert items.values_of("colour") == {"blue"}
    assert items.count("colour", "blue") == 1
    assert items.pop("a") == {"colour": "blue"}
    assert items.count("colour", "blue") == 0

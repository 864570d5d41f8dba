"""What is made up depends on the seed and on what it is for, not on what else goes on."""

from emulator.seeded_values import SeededValues


def test_guids() -> None:
    one, same, other = SeededValues(1), SeededValues(1), SeededValues(2)
    one.another("something else")
    assert one.guid("app") == same.guid("app") == one.guid("app")
    assert one.guid("app") != other.guid("app")
    assert one.guid("app") != one.guid("operator")
    series = [one.another("event") for _ in range(3)]
    assert len(set(series)) == 3
    assert series == [same.another("event") for _ in range(3)]


def test_orders() -> None:
    items = list(range(20))
    orders = {tuple(SeededValues(seed).rotated("list", items)) for seed in range(9)}
    assert len(orders) > 1
    assert all(sorted(order) == items for order in orders)
    assert SeededValues(1).rotated("list", []) == []

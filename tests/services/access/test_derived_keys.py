"""Each purpose signs with a key of its own."""

from services.access.derived_keys import DerivedKeys, derived_key


def keys_of(secret_key: str) -> dict[str, str]:
    keys = DerivedKeys(secret_key)
    names = [name for name, value in vars(DerivedKeys).items() if isinstance(value, property)]
    found: dict[str, str] = {name: getattr(keys, name) for name in names}
    # What visitors hold is signed with two more, from a branch of their own.
    return found | {
        purpose: derived_key(keys.visitors, purpose) for purpose in ("form token", "proof of work")
    }


def test_no_two_purposes_share_a_key() -> None:
    """Nor is one of them SECRET_KEY itself; another SECRET_KEY makes all of them others."""
    one, other = keys_of("a" * 32), keys_of("b" * 32)
    assert len(one) == 8
    assert len({*one.values(), *other.values(), "a" * 32, "b" * 32}) == 18
    assert one == keys_of("a" * 32)
    assert all(len(bytes.fromhex(key)) == 32 for key in one.values())


def test_the_secret_key_is_shown_nowhere() -> None:
    """Not in a traceback's repr."""
    assert "hidden" not in repr(DerivedKeys("hidden"))
